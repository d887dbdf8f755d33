package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/feac4032/multiproc/bench/figure"
)

// hashicorp/go-plugin has no pool: a host starts a plugin, a program, and calls its
// methods by net/rpc through a unix socket. Here this program is both. Where others
// have two workers, there are two plugins, which are called in turns.

// pluginCommand makes this program a subject that measures go-plugin, or, with
// "serve", the plugin.
const pluginCommand = "goplugin"

var handshake = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "BENCH_PLUGIN", MagicCookieValue: "echo"}

// Echo is the service of the plugin.
type Echo struct{}

// Call returns what it is given.
func (Echo) Call(in []byte, out *[]byte) error {
	*out = in
	return nil
}

// Die ends the plugin as kill -9 does.
func (Echo) Die(struct{}, *struct{}) error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) }

type echoPlugin struct{}

func (echoPlugin) Server(*plugin.MuxBroker) (any, error) { return Echo{}, nil }

func (echoPlugin) Client(_ *plugin.MuxBroker, c *rpc.Client) (any, error) { return c, nil }

// host is a plugin that runs.
type host struct {
	*rpc.Client
	client *plugin.Client
}

func startPlugin() (*host, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: handshake,
		Plugins:         plugin.PluginSet{"echo": echoPlugin{}},
		Cmd:             exec.Command(self, pluginCommand, "serve"),
		Logger:          hclog.NewNullLogger(),
		Stderr:          io.Discard,
	})
	protocol, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, err
	}
	c, err := protocol.Dispense("echo")
	if err != nil {
		client.Kill()
		return nil, err
	}
	return &host{Client: c.(*rpc.Client), client: client}, nil
}

func (h *host) echo(in []byte) error {
	var out []byte
	if err := h.Call("Plugin.Call", in, &out); err != nil {
		return err
	}
	if len(out) != len(in) {
		return errors.New("the echo has another length")
	}
	return nil
}

func pluginMain(args []string) error {
	if len(args) == 1 && args[0] == "serve" {
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig: handshake,
			Plugins:         plugin.PluginSet{"echo": echoPlugin{}},
			Logger:          hclog.NewNullLogger(),
		})
		return nil
	}
	works := map[string]func(n int) (figure.Set, error){
		"call":  func(n int) (figure.Set, error) { return pluginLaps(n, 64) },
		"echo":  func(n int) (figure.Set, error) { return pluginLaps(n, 1<<20) },
		"large": pluginLarge,
		"many":  pluginMany,
		"start": pluginStart,
		"crash": pluginCrash,
		"idle":  pluginIdle,
	}
	if len(args) != 2 || works[args[0]] == nil {
		return errors.New("usage: bench goplugin WORK N")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number", args[1])
	}
	figures, err := works[args[0]](n)
	if err != nil {
		return err
	}
	return figures.Write(os.Stdout)
}

func pluginLaps(n, size int) (figure.Set, error) {
	h, err := startPlugin()
	if err != nil {
		return nil, err
	}
	defer h.client.Kill()
	in := bytes.Repeat([]byte{'x'}, size)
	if err := h.echo(in); err != nil { // it describes its types at the first call
		return nil, err
	}
	var laps figure.Laps
	for range n {
		start := time.Now()
		if err := h.echo(in); err != nil {
			return nil, err
		}
		laps.Add(start)
	}
	return laps.Set(), nil
}

// pluginLarge is n MiB there and back.
func pluginLarge(n int) (figure.Set, error) {
	figures, err := pluginLaps(1, n<<20)
	return figure.Set{figure.Wall: figures[figure.P50]}, err
}

// pluginMany is calls by as many goroutines as pay: with 64 it is slower, and with
// 1024 and 4096 too.
func pluginMany(n int) (figure.Set, error) {
	const callers = 256
	var hosts [2]*host
	for i := range hosts {
		h, err := startPlugin()
		if err != nil {
			return nil, err
		}
		defer h.client.Kill()
		hosts[i] = h
	}
	in := bytes.Repeat([]byte{'x'}, 64)
	jobs := make(chan int, callers)
	failed := make(chan error, callers)
	var all sync.WaitGroup
	start := time.Now()
	for range callers {
		all.Go(func() {
			for i := range jobs {
				if err := hosts[i%len(hosts)].echo(in); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	var err error
	for i := 0; i < n && err == nil; i++ {
		select {
		case jobs <- i:
		case err = <-failed:
		}
	}
	close(jobs)
	all.Wait()
	took := time.Since(start)
	if err == nil && len(failed) > 0 {
		err = <-failed
	}
	return figure.PerSecond(n, took), err
}

func pluginStart(n int) (figure.Set, error) {
	var laps figure.Laps
	for range n {
		start := time.Now()
		h, err := startPlugin()
		if err != nil {
			return nil, err
		}
		laps.Add(start)
		h.client.Kill()
	}
	return laps.Set(), nil
}

// pluginCrash is a call in which the plugin is killed, another plugin, and a call.
func pluginCrash(n int) (figure.Set, error) {
	h, err := startPlugin()
	if err != nil {
		return nil, err
	}
	defer func() { h.client.Kill() }()
	var laps figure.Laps
	for range n {
		start := time.Now()
		if err := h.Call("Plugin.Die", struct{}{}, &struct{}{}); err == nil {
			return nil, errors.New("the plugin is still alive")
		}
		h.client.Kill()
		if h, err = startPlugin(); err != nil {
			return nil, err
		}
		if err := h.echo(make([]byte, 64)); err != nil {
			return nil, err
		}
		laps.Add(start)
	}
	return laps.Set(), nil
}

func pluginIdle(n int) (figure.Set, error) {
	var pids []int
	for range n {
		h, err := startPlugin()
		if err != nil {
			return nil, err
		}
		defer h.client.Kill()
		if err := h.echo(make([]byte, 64)); err != nil {
			return nil, err
		}
		pids = append(pids, h.client.ReattachConfig().Pid)
	}
	return figure.MeanPSS(pids)
}
