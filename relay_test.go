package main

import (
	"io"
	"net"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// relay passes TCP connections on to a port of this machine, until it is told to cut them.
type relay struct {
	mu    sync.Mutex
	conns []net.Conn
}

// cmdRelay: relay NAME PORT starts one and sets NAME_PORT; relay NAME cut breaks its connections, new ones are passed on.
func cmdRelay(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "relay NAME PORT|cut")
	w := worldOf(ts)
	if args[1] == "cut" {
		w.relays[args[0]].cut()
		return
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	r := &relay{}
	w.relays[args[0]] = r
	w.cleanup(func() { ln.Close(); r.cut() })
	_, port, err := net.SplitHostPort(ln.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0]+"_PORT", port)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go r.pass(c, net.JoinHostPort("127.0.0.1", args[1]))
		}
	}()
}

func (r *relay) pass(c net.Conn, target string) {
	defer c.Close()
	t, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer t.Close()
	r.mu.Lock()
	r.conns = append(r.conns, c, t)
	r.mu.Unlock()
	done := make(chan struct{}, 2)
	for _, p := range [][2]net.Conn{{c, t}, {t, c}} {
		go func() {
			_, _ = io.Copy(p[0], p[1])
			done <- struct{}{}
		}()
	}
	<-done
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.Close()
	}
	r.conns = nil
}
