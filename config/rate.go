package config

import (
	"regexp"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// Rate bounds how often attempts of a job start.
type Rate struct {
	Count int           // starts
	Per   time.Duration // in so much time; 0: no bound
}

var rateForm = regexp.MustCompile(`^([1-9][0-9]{0,8})/([smh])$`)

var rateUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

func readRate(c *checker, n *yaml.Node, d *draft) {
	s, ok := c.text(n, "rate")
	if !ok {
		return
	}
	m := rateForm.FindStringSubmatch(s)
	if m == nil {
		c.failNode(n, "", "rate is a number of starts in a second, minute or hour, like 10/s, 90/m or 5/h, not %s", quote(s))
		return
	}
	count, _ := strconv.Atoi(m[1])
	d.Rate = Rate{Count: count, Per: rateUnits[m[2]]}
}
