package tap

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mq/packet"
)

// stopAt ends a live capture when a number of connections have closed.
type stopAt struct {
	*record
	n    int
	stop func()
	mu   sync.Mutex
}

func (s *stopAt) Close(c *Conn, at time.Time, by Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record.Close(c, at, by)
	if len(s.closed) == s.n {
		s.stop()
	}
}

func TestLiveOnLoopback(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a packet socket needs root")
	}
	client, server := allQoS(t, packet.V5)
	s := newFakeServer(t, server, nil)
	port := uint16(s.Addr().(*net.TCPAddr).Port)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r := &stopAt{record: newRecord(t), n: 1, stop: cancel}
	var wg sync.WaitGroup
	start := time.Now()
	err := Live(ctx, LiveOptions{Interface: "lo", Ports: []uint16{port}, Ready: func() {
		wg.Go(func() { speak(t, dialTo(s.Addr()), client, len(server)) })
	}}, r)
	wg.Wait()
	if errors.Is(err, unix.EPERM) {
		t.Skip("no privilege to open a packet socket")
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(r.packets) != 21 || len(r.trouble()) != 0 {
		t.Errorf("%q", r.log)
	}
	if p := r.packets[0]; p.at.Before(start.Add(-time.Second)) || p.at.After(time.Now()) || p.frame == 0 {
		t.Errorf("the first packet is of %v, frame %d", p.at, p.frame)
	}
	if !slices.ContainsFunc(r.conns, func(c *Conn) bool { return c.Server.Port() == port && c.FromStart }) {
		t.Errorf("%+v", r.conns[0])
	}
}

func TestLiveErrors(t *testing.T) {
	err := Live(context.Background(), LiveOptions{Interface: "no-such-if0"}, Discard{})
	var e *Error
	if !errors.As(err, &e) || len(e.Hints()) == 0 {
		t.Errorf("%v", err)
	}
}
