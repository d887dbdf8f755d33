package main

import (
	"github.com/feac4032/multiproc/internal/faulttest"
	"github.com/feac4032/multiproc/ipc"
)

func init() {
	for _, bomb := range faulttest.Bombs() {
		faults["ready with "+bomb.Name] = once(func(w *faulttest.Worker) {
			w.Send(w.ReadyWith("extra", bomb.Bytes))
			faulttest.Hang()
		})
		faults["envelope with "+bomb.Name] = once(func(w *faulttest.Worker) {
			m := w.Begin()
			b := ipc.AppendResultOffsets(nil, m.ID, ipc.StatusOK, m.Body, 0, 0)
			b[0]++ // a seventh element, which only a later version knows
			w.Send(append(b, bomb.Bytes...))
			faulttest.Hang()
		})
		faults["result of "+bomb.Name] = answers(ipc.StatusOK, bomb.Bytes)
		faults["error of "+bomb.Name] = answers(ipc.StatusFailed, bomb.Bytes)
	}
	for name, f := range map[string]fault{
		"result with bytes behind":  answers(ipc.StatusOK, []byte{1, 1}),
		"result of nothing":         answers(ipc.StatusOK, nil),
		"name that is no UTF-8":     readies("program", []byte{0xa2, 0xff, 0xfe}),
		"name that is an extension": readies("program", []byte{0xd4, 1, 1}),
		"window of −1":              readies("window", []byte{0xff}),
		"window of 2^63":            readies("window", []byte{0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0}),
		"log line that is no UTF-8": sends(func(m ipc.Message) []byte {
			return []byte{0x95, byte(ipc.KindLog), byte(m.ID), byte(ipc.LevelInfo), 0xa1, 0xff, 0xc4, 0}
		}),
		"id of −1":        sends(func(ipc.Message) []byte { return []byte{0x94, byte(ipc.KindResult), 0xff, 0, 0xc4, 1, 1} }),
		"status 9":        sends(func(m ipc.Message) []byte { return []byte{0x94, byte(ipc.KindResult), byte(m.ID), 9, 0xc4, 1, 1} }),
		"extension as id": sends(func(ipc.Message) []byte { return []byte{0x94, byte(ipc.KindResult), 0xd4, 1, 1, 0, 0xc4, 1, 1} }),
		"frame with bytes behind": sends(func(m ipc.Message) []byte {
			return append(ipc.AppendResult(nil, m.ID, ipc.StatusOK, m.Body), 0xc0)
		}),
	} {
		faults[name] = f
	}
}

// answers is a worker that answers its first job with this payload.
func answers(status ipc.Status, payload []byte) fault {
	return once(func(w *faulttest.Worker) {
		m := w.Begin()
		w.Result(m.ID, status, payload)
		faulttest.Hang()
	})
}

// sends is a worker that answers its first job with the frame of this body.
func sends(body func(ipc.Message) []byte) fault {
	return once(func(w *faulttest.Worker) {
		w.Send(body(w.Begin()))
		faulttest.Hang()
	})
}

// readies is a worker whose ready frame has this value for a key.
func readies(key string, value []byte) fault {
	return once(func(w *faulttest.Worker) {
		w.Send(w.ReadyWith(key, value))
		faulttest.Hang()
	})
}
