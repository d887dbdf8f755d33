package child

import (
	"strconv"
	"strings"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/worker"
)

// mainName is what the process is called that nobody has started as a worker.
const mainName = "MainProcess"

// Parent is what a worker is told of the process that has started it.
type Parent struct {
	PID    int
	Name   string
	Daemon bool // of the worker
}

// SelfName is the name of this process.
func SelfName() string {
	if name := worker.Name(); name != "" {
		return name
	}
	return mainName
}

func (p Parent) marker() string {
	kind := "child"
	if p.Daemon {
		kind = "daemon"
	}
	return boot.OriginMarker + "=" + strconv.Itoa(p.PID) + " " + kind + " " + strconv.QuoteToASCII(p.Name)
}

// ToldParent is what this process was told, if it is a worker and was.
func ToldParent() (Parent, bool) { return parseParent(boot.Origin) }

func parseParent(s string) (p Parent, ok bool) {
	pid, rest, _ := strings.Cut(s, " ")
	kind, name, _ := strings.Cut(rest, " ")
	var err error
	if p.PID, err = strconv.Atoi(pid); err != nil || p.PID <= 0 {
		return Parent{}, false
	}
	if p.Name, err = strconv.Unquote(name); err != nil || p.Name == "" {
		return Parent{}, false
	}
	p.Daemon = kind == "daemon"
	return p, p.Daemon || kind == "child"
}
