package connect

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

// patience is how long a test waits for what must come. Nothing waits that long in a run without failures.
const patience = 10 * time.Second

// server is a scripted MQTT server: a test accepts its connections one by one and plays the server's part.
type server struct {
	t *testing.T
	l net.Listener
}

func listen(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &server{t, l}
}

// options lead to the server.
func (s *server) options() Options {
	addr := s.l.Addr().(*net.TCPAddr)
	return Options{Network: TCP, Host: "127.0.0.1", Port: addr.Port, ClientID: "tester", ConnectTimeout: patience}
}

// accept returns the next connection.
func (s *server) accept() *peer {
	s.t.Helper()
	_ = s.l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	conn, err := s.l.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	p := newPeer(s.t, conn)
	s.t.Cleanup(func() { conn.Close() })
	return p
}

// connect accepts the next connection, checks that a CONNECT comes and accepts it.
func (s *server) connect(present bool) *peer {
	s.t.Helper()
	p := s.accept()
	p.connect()
	p.send(&packet.Connack{SessionPresent: present})
	return p
}

// open opens a session and returns it with the server's end of its connection.
func (s *server) open(o Options) (Session, *peer) {
	s.t.Helper()
	opened := openAsync(s.t, o)
	p := s.connect(false)
	session := opened.session()
	return session, p
}

// opening is the result of an Open that is under way.
type opening struct {
	t   *testing.T
	res chan openResult
}

type openResult struct {
	session Session
	err     error
}

func openAsync(t *testing.T, o Options) *opening {
	t.Helper()
	res := make(chan openResult, 1)
	go func() {
		s, err := Open(t.Context(), o)
		res <- openResult{s, err}
	}()
	return &opening{t, res}
}

func (o *opening) session() Session {
	o.t.Helper()
	r := receive(o.t, o.res)
	if r.err != nil {
		o.t.Fatalf("Open: %v", r.err)
	}
	o.t.Cleanup(func() { _ = r.session.(*pahoSession).end(nil) })
	return r.session
}

func (o *opening) err() error {
	o.t.Helper()
	r := receive(o.t, o.res)
	if r.err == nil {
		_ = r.session.Close()
		o.t.Fatal("Open succeeded")
	}
	return r.err
}

// receive waits for a value.
func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// async runs f and returns where its result comes.
func async[T any](f func() T) <-chan T {
	c := make(chan T, 1)
	go func() { c <- f() }()
	return c
}

// peer is the server's end of one connection.
type peer struct {
	t    *testing.T
	conn net.Conn
	f    packet.Framer
}

func newPeer(t *testing.T, conn net.Conn) *peer {
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	return &peer{t: t, conn: conn}
}

// next returns the next packet and its bytes.
func (p *peer) next() (packet.Packet, []byte) {
	p.t.Helper()
	b, err := p.f.ReadPacket(p.conn)
	if err != nil {
		p.t.Fatalf("the client's next packet: %v", err)
	}
	b = slices.Clone(b)
	pkt, _, err := packet.Decode(b, packet.V311)
	if err != nil {
		p.t.Fatalf("the client sent % x: %v", b, err)
	}
	return pkt, b
}

// expect wants exactly these packets next.
func (p *peer) expect(want ...packet.Packet) {
	p.t.Helper()
	for i, w := range want {
		got, _ := p.next()
		if diff := cmp.Diff(w, got); diff != "" {
			p.t.Fatalf("packet %d from the client (-want +got):\n%s", i, diff)
		}
	}
}

func (p *peer) connect() *packet.Connect {
	p.t.Helper()
	got, _ := p.next()
	c, ok := got.(*packet.Connect)
	if !ok {
		p.t.Fatalf("got %v, want CONNECT", got.Type())
	}
	return c
}

// subscribed answers the next packet, a SUBSCRIBE, with codes.
func (p *peer) subscribed(codes ...packet.ReasonCode) *packet.Subscribe {
	p.t.Helper()
	got, _ := p.next()
	sub, ok := got.(*packet.Subscribe)
	if !ok {
		p.t.Fatalf("got %v, want SUBSCRIBE", got.Type())
	}
	p.send(&packet.Suback{PacketID: sub.PacketID, Codes: codes})
	return sub
}

func (p *peer) send(packets ...packet.Packet) {
	p.t.Helper()
	var b []byte
	var err error
	for _, pkt := range packets {
		if b, err = pkt.Append(b, packet.V311); err != nil {
			p.t.Fatal(err)
		}
	}
	p.raw(string(b))
}

func (p *peer) raw(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, s); err != nil {
		p.t.Fatal(err)
	}
}

// expectEnd wants the client to close the connection, with nothing before it.
func (p *peer) expectEnd() {
	p.t.Helper()
	b, err := p.f.ReadPacket(p.conn)
	switch {
	case err == nil:
		p.t.Fatalf("got % x, want the end of the connection", b)
	case errors.Is(err, io.EOF), isReset(err):
	default:
		p.t.Fatal(err)
	}
}

// drop ends the connection after everything sent has been read by the client's system.
func (p *peer) drop() { p.conn.Close() }

func publish(id uint16, qos packet.QoS, payload string) *packet.Publish {
	return &packet.Publish{QoS: qos, PacketID: id, Topic: []byte("t"), Payload: []byte(payload)}
}

func dup(p *packet.Publish) *packet.Publish {
	p.Dup = true
	return p
}

func message(qos packet.QoS, payload string) *packet.Message {
	return &packet.Message{Topic: "t", QoS: qos, Payload: []byte(payload)}
}

// recorder collects events and messages of a session.
type recorder struct {
	t        *testing.T
	events   chan Event
	messages chan packet.Message
}

// record makes o report to a recorder.
func record(t *testing.T, o *Options) *recorder {
	r := &recorder{t, make(chan Event, 1000), make(chan packet.Message, 1000)}
	o.OnEvent = func(e Event) { r.events <- e }
	o.OnMessage = func(m *packet.Message) bool {
		c := *m
		c.Payload = slices.Clone(m.Payload)
		r.messages <- c
		return true
	}
	return r
}

// expect wants exactly these events next. Err is compared by its text, Delay not at all.
func (r *recorder) expect(want ...Event) {
	r.t.Helper()
	for _, w := range want {
		got := receive(r.t, r.events)
		got.Delay = 0
		opt := cmp.Comparer(func(a, b error) bool {
			return (a == nil) == (b == nil) && (a == nil || a.Error() == b.Error())
		})
		if diff := cmp.Diff(w, got, opt); diff != "" {
			r.t.Fatalf("event (-want +got):\n%s", diff)
		}
	}
}

// none wants no event to have come.
func (r *recorder) none() {
	r.t.Helper()
	select {
	case e := <-r.events:
		r.t.Fatalf("unexpected event: %+v", e)
	default:
	}
}

// expectMessages wants exactly these messages next.
func (r *recorder) expectMessages(want ...packet.Message) {
	r.t.Helper()
	for _, w := range want {
		if diff := cmp.Diff(w, receive(r.t, r.messages)); diff != "" {
			r.t.Fatalf("message (-want +got):\n%s", diff)
		}
	}
}

// acks counts the calls of callbacks.
type acks struct {
	t *testing.T
	c chan ack
}

type ack struct {
	id  int
	err error
}

func newAcks(t *testing.T) *acks { return &acks{t, make(chan ack, 100_000)} }

func (a *acks) callback(id int) func(error) { return func(err error) { a.c <- ack{id, err} } }

// expect wants the callbacks of these messages next, without errors and in this order.
func (a *acks) expect(ids ...int) {
	a.t.Helper()
	for _, id := range ids {
		if got := receive(a.t, a.c); got != (ack{id: id}) {
			a.t.Fatalf("got acknowledgement %+v, want %d", got, id)
		}
	}
}

// none wants no other callback to have come.
func (a *acks) none() {
	a.t.Helper()
	select {
	case got := <-a.c:
		a.t.Fatalf("unexpected acknowledgement %+v", got)
	default:
	}
}
