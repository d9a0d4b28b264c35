package main

import (
	"fmt"
	"sync"
	"time"

	"mq/broker"
)

// patience is how long a script waits for something that is about to happen.
const patience = 20 * time.Second

type worldKey struct{}

// world is what a script has outside its processes: brokers, fake servers and background processes.
type world struct {
	broker *broker.Server
	procs  map[string]*proc
	relays map[string]*relay

	mu       sync.Mutex
	changed  chan struct{}  // closed at the next event
	events   map[string]int // by kind and client identifier or topic
	cleanups []func()
}

func newWorld() *world {
	return &world{procs: make(map[string]*proc), relays: make(map[string]*relay), events: make(map[string]int), changed: make(chan struct{})}
}

func (w *world) cleanup(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cleanups = append(w.cleanups, f)
}

func (w *world) close() {
	for _, p := range w.procs {
		p.kill()
	}
	w.mu.Lock()
	list := w.cleanups
	w.mu.Unlock()
	for i := len(list) - 1; i >= 0; i-- {
		list[i]()
	}
}

func (w *world) start(o broker.Options) (*broker.Server, error) {
	s, err := broker.Start(o)
	if err == nil {
		w.cleanup(func() { s.Close() })
	}
	return s, err
}

// event counts what the broker reports.
func (w *world) event(e broker.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events[string(e.Kind)+" "+e.ClientID]++
	if e.Topic != "" {
		w.events[string(e.Kind)+" "+e.Topic]++
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// await waits until an event has happened n times since the script began.
func (w *world) await(event string, n int) error {
	deadline := time.After(patience)
	for {
		w.mu.Lock()
		got, changed := w.events[event], w.changed
		w.mu.Unlock()
		if got >= n {
			return nil
		}
		select {
		case <-changed:
		case <-deadline:
			w.mu.Lock()
			defer w.mu.Unlock()
			return fmt.Errorf("%q happened %d times, not %d; the events are %v", event, got, n, w.events)
		}
	}
}

// poll asks ready until it agrees; for things that cannot be waited for.
func poll(ready func() bool) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		if ready() {
			return true
		}
		select {
		case <-tick.C:
		case <-deadline:
			return false
		}
	}
}
