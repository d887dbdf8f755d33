"use strict";
(function () {
  var form = document.getElementById("filter");
  if (form) {
    var words = document.getElementById("words");
    var shown = document.getElementById("shown");
    var boxes = Array.from(form.querySelectorAll("input[type=checkbox]"));
    var rows = Array.from(document.querySelectorAll("#list > *")).map(function (el) {
      return { el: el, text: el.textContent.toLowerCase(), outcome: el.dataset.outcome };
    });
    var apply = function () {
      var wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      var on = new Set(boxes.filter(function (b) { return b.checked; }).map(function (b) { return b.value; }));
      var n = 0;
      rows.forEach(function (r) {
        var is = on.has(r.outcome) && wanted.every(function (w) { return r.text.includes(w); });
        r.el.hidden = !is;
        if (is) n++;
      });
      shown.textContent = n === rows.length ? "" : n + " of " + rows.length + " shown";
    };
    form.hidden = false;
    form.addEventListener("submit", function (e) { e.preventDefault(); });
    form.addEventListener("input", apply);
    apply();
  }

  // A plot tells what is pointed at, tapped, or reached by the arrow keys.
  document.querySelectorAll(".plot").forEach(function (plot) {
    var tell = document.getElementById(plot.getAttribute("aria-describedby"));
    var x = function (el) { return Number(el.getAttribute("x")); };
    var lanes = Array.from(plot.querySelectorAll("svg:not(.axis)")).map(function (svg) {
      return Array.from(svg.querySelectorAll("[data-tell]")).sort(function (a, b) { return x(a) - x(b); });
    });
    var lane = -1, at = -1, on = null;
    var show = function (el) {
      if (on) on.classList.remove("on");
      on = el;
      el.classList.add("on");
      tell.textContent = el.dataset.tell;
      tell.classList.add("live");
    };
    var pick = function (e) {
      var el = e.target.closest("[data-tell]");
      if (!el) return;
      lane = lanes.findIndex(function (l) { return l.includes(el); });
      at = lanes[lane].indexOf(el);
      show(el);
    };
    plot.addEventListener("pointerover", pick);
    plot.addEventListener("click", pick);
    plot.addEventListener("keydown", function (e) {
      var step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[e.key];
      if (!step || e.altKey || e.ctrlKey || e.metaKey) return;
      if (lanes.length === 1 && step[0]) return;
      e.preventDefault();
      if (lane < 0) {
        lane = at = 0;
      } else if (step[1]) {
        at = Math.max(0, Math.min(lanes[lane].length - 1, at + step[1]));
      } else {
        var to = Math.max(0, Math.min(lanes.length - 1, lane + step[0]));
        var from = x(lanes[lane][at]), best = 0, far = Infinity;
        lanes[to].forEach(function (el, i) {
          var d = Math.abs(x(el) - from);
          if (d < far) { far = d; best = i; }
        });
        lane = to;
        at = best;
      }
      show(lanes[lane][at]);
    });
  });

  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.from(document.querySelectorAll("details:not([open])"));
    opened.forEach(function (d) { d.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (d) { d.open = false; });
  });
})();
