package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/feac4032/multiproc/internal/faulttest"
	"github.com/feac4032/multiproc/ipc"
)

func init() {
	complaint := "no access with " + os.Getenv("PLANTED")
	for name, f := range map[string]fault{
		"panic with the secret":      once(func(w *faulttest.Worker) { w.Begin(); go panic(complaint); faulttest.Hang() }),
		"last words with the secret": once(func(w *faulttest.Worker) { w.Begin(); last(complaint); os.Exit(3) }),
		"error with the secret": once(func(w *faulttest.Worker) {
			m := w.Begin()
			fmt.Println(complaint)
			failure := append([]byte("\x81\xa3msg\xd9"), byte(len(complaint)))
			w.Result(m.ID, ipc.StatusFailed, append(failure, complaint...))
			w.Serve()
		}),
	} {
		faults[name] = f
	}
	secret := os.Getenv("PLANTED")
	for name, command := range map[string]func(){
		"last words with the secret": func() { fmt.Println(complaint); last(complaint); os.Exit(3) },
		"the secret in pieces": func() {
			for i := range len(secret) {
				fmt.Print(secret[i : i+1])
				time.Sleep(5 * time.Millisecond) // in writes of its own each
			}
			fmt.Println()
		},
		"the secret in quotes": func() {
			quoted, err := json.Marshal(secret)
			faulttest.Must(err)
			fmt.Printf("%q %s\n", secret, quoted)
		},
	} {
		commands[name] = command
	}
}
