package tap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"mq/packet"
)

// Proxy stands between MQTT clients and a server, forwards what they send byte by byte, and shows it to a sink. A
// client that begins with an HTTP GET is served by WebSocket.
type Proxy struct {
	// Listener is where clients come in. Serve closes it.
	Listener net.Listener
	// Dial opens the connection to the server for one client; what it returns carries MQTT bytes only, as that of
	// connect.Dial does.
	Dial func(ctx context.Context) (net.Conn, error)
	// ServerTLS, if not nil, makes the clients speak TLS.
	ServerTLS *tls.Config
	// ServerName is what to call the server, "" for its address.
	ServerName string
	// Faults are done in their order to every packet; without any the bytes are not even looked at on their way.
	Faults []*FaultRule
	// Seed makes the faults that depend on chance repeatable, for one connection at a time; 0 is a different one each time.
	Seed uint64
	// Limits bounds what is held to find packets.
	Limits Limits
	// Sink is told what passes. Packets are shown as they were sent; faults follow the packet they were done to.
	Sink Sink
	// Now is the clock, time.Now when nil.
	Now func() time.Time

	dice   *dice
	events chan event
}

// event is something for the sink. One goroutine takes the events of all connections, so that a slow sink delays the
// forwarding only when the queue is full.
type event struct {
	c     *proxied
	kind  eventKind
	dir   packet.Direction
	at    time.Time
	b     []byte
	text  string
	fault Fault
	by    Closer
}

type eventKind byte

const (
	eventOpen eventKind = iota
	eventData
	eventFault
	eventNote
	eventClose
)

// eventQueue is how many events may wait for the sink; an event has at most chunkSize bytes when there are no faults.
const (
	eventQueue = 1024
	chunkSize  = 32 << 10
)

// acceptRetry is how long the proxy waits when no more connections can be accepted for now.
const acceptRetry = 50 * time.Millisecond

// Serve forwards connections until ctx ends, which is no error, or the listener fails. It returns when every connection
// is closed and the sink has been told everything.
func (p *Proxy) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if p.Now == nil {
		p.Now = time.Now
	}
	p.dice, p.events = newDice(p.Seed), make(chan event, eventQueue)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.show()
	}()
	stop := context.AfterFunc(ctx, func() { p.Listener.Close() })
	defer stop()
	var wg sync.WaitGroup
	err := p.accept(ctx, &wg)
	cancel()
	wg.Wait()
	close(p.events)
	<-done
	return err
}

func (p *Proxy) accept(ctx context.Context, wg *sync.WaitGroup) error {
	for {
		conn, err := p.Listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case err == nil:
			wg.Go(func() { p.handle(ctx, conn) })
		case errors.Is(err, net.ErrClosed):
			return &Error{What: "proxy: the listener was closed", Err: err}
		default:
			p.events <- event{kind: eventNote, at: p.Now(), text: fmt.Sprintf("a connection could not be accepted: %v", err)}
			select {
			case <-time.After(acceptRetry):
			case <-ctx.Done():
			}
		}
	}
}

// show hands the events to the sink.
func (p *Proxy) show() {
	s := &scope{sink: p.Sink, limits: p.Limits.withDefaults()}
	for e := range p.events {
		s.at = e.at
		if e.c == nil {
			s.sink.Note(nil, e.at, e.text)
			continue
		}
		l := &e.c.link
		switch e.kind {
		case eventOpen:
			l.scope = s
			e.c.stage = newMQTTStage(l)
			l.open(l.conn.Layer)
		case eventData:
			e.c.stage.data(e.dir, e.b, true)
		case eventFault:
			s.sink.Fault(&l.conn, e.dir, e.at, e.fault)
		case eventNote:
			l.note(e.text)
		case eventClose:
			e.c.stage.finish(ErrEnded)
			l.release()
			s.sink.Close(&l.conn, e.at, e.by)
		}
	}
}
