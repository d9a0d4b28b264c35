package connect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"

	"mq/packet"
)

// TestResendQoS1 [MQTT-4.4.0-1]: what was not acknowledged goes out again, marked DUP, with its packet identifier, in the
// order in which it was first sent [MQTT-4.6.0-1], and before anything new.
func TestResendQoS1(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Reconnect.Enabled, o.InFlight = true, 5
	session, p := s.open(o)
	a := newAcks(t)
	mustPublish(t, session, 1, a, 0, "a", "b", "c", "d", "e")
	for range 5 {
		p.next()
	}
	p.send(&packet.Puback{PacketID: 2})
	a.expect(1)
	fresh := async(func() error { return session.Publish(t.Context(), message(1, "f"), a.callback(5)) })
	p.expect(publish(6, 1, "f"))
	if err := receive(t, fresh); err != nil {
		t.Fatal(err)
	}
	fresh = async(func() error { return session.Publish(t.Context(), message(0, "new"), nil) })
	p.expect(publish(0, 0, "new"))
	receive(t, fresh)
	for range 3 {
		age(session)
		p.drop()
		p = s.accept()
		p.connect()
		fresh = async(func() error { return session.Publish(t.Context(), message(0, "new"), nil) }) // waits for the old ones
		p.send(&packet.Connack{})
		p.expect(dup(publish(1, 1, "a")), dup(publish(3, 1, "c")), dup(publish(4, 1, "d")), dup(publish(5, 1, "e")), dup(publish(6, 1, "f")), publish(0, 0, "new"))
		if err := receive(t, fresh); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []uint16{6, 1, 4, 3, 5} {
		p.send(&packet.Puback{PacketID: id})
	}
	a.expect(5, 0, 3, 2, 4)
	if err := session.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	age(session)
	p.drop()
	p = s.connect(false)
	mustPublish(t, session, 1, a, 6, "g")
	p.expect(publish(7, 1, "g"))
	a.none()
}

// TestResendQoS2 breaks the connection at each step of the handshake [MQTT-4.3.3-1]: before PUBREL was sent the PUBLISH
// goes out again, after it only PUBREL.
func TestResendQoS2(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Reconnect.Enabled = true
	var released atomic.Bool
	o.Tap = func(d packet.Direction, b []byte) {
		if d == packet.ClientToServer && string(b) == "\x62\x02\x00\x01" {
			released.Store(true)
		}
	}
	again := func(session Session, p *peer) *peer {
		age(session)
		p.drop()
		return s.connect(true)
	}
	session, p := s.open(o)
	a := newAcks(t)
	mustPublish(t, session, 2, a, 0, "m")
	p.expect(publish(1, 2, "m"))

	p = again(session, p) // after PUBLISH
	p.expect(dup(publish(1, 2, "m")))
	p = again(session, p)
	p.expect(dup(publish(1, 2, "m")))

	p.send(&packet.Pubrec{PacketID: 1}) // after PUBREC was sent; whether it arrives is a race
	p = again(session, p)
	if released.Load() {
		p.expect(&packet.Pubrel{PacketID: 1})
	} else {
		p.expect(dup(publish(1, 2, "m")))
		p.send(&packet.Pubrec{PacketID: 1})
		p.expect(&packet.Pubrel{PacketID: 1})
	}
	for range 2 { // after PUBREL
		p = again(session, p)
		p.expect(&packet.Pubrel{PacketID: 1})
	}
	p.send(&packet.Pubrec{PacketID: 1}) // a second PUBREC changes nothing
	p.expect(&packet.Pubrel{PacketID: 1})
	p = again(session, p)
	p.expect(&packet.Pubrel{PacketID: 1})

	a.none()
	p.send(&packet.Pubcomp{PacketID: 1})
	a.expect(0)
	p = again(session, p) // after PUBCOMP
	mustPublish(t, session, 2, a, 1, "next")
	p.expect(publish(2, 2, "next"))
	a.none()
}

// TestResendMixed has messages in every state when the connection breaks: each kind goes out again in its place.
func TestResendMixed(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Reconnect.Enabled = true
	session, p := s.open(o)
	a := newAcks(t)
	for i := range 12 {
		mustPublish(t, session, packet.QoS(1+i%2), a, i, strconv.Itoa(i))
	}
	for range 12 {
		p.next()
	}
	p.send(&packet.Pubrec{PacketID: 8}, &packet.Pubrec{PacketID: 4}, &packet.Pubrec{PacketID: 12}, &packet.Puback{PacketID: 5}, &packet.Pubcomp{PacketID: 12})
	p.expect(&packet.Pubrel{PacketID: 8}, &packet.Pubrel{PacketID: 4}, &packet.Pubrel{PacketID: 12})
	a.expect(4, 11)
	p.drop()
	p = s.connect(true)
	for i := range 12 {
		id := uint16(i + 1)
		switch id {
		case 5, 12:
		case 4, 8:
			p.expect(&packet.Pubrel{PacketID: id})
		default:
			p.expect(dup(publish(id, packet.QoS(1+i%2), strconv.Itoa(i))))
		}
	}
	// A PUBREC for a message of QoS 1 is the server's mistake, and does not make its PUBLISH a PUBREL.
	p.send(&packet.Pubrec{PacketID: 1})
	p.expect(&packet.Pubrel{PacketID: 1})
	age(session)
	p.drop()
	p = s.connect(true)
	p.expect(dup(publish(1, 1, "0")))
}

// judge is a server that watches whether the client keeps to the rules over many connections.
type judge struct {
	t         *testing.T
	rng       *rand.Rand
	published map[uint16]int // by packet identifier: the message that was published last, until its PUBREL
	released  map[uint16]int // by packet identifier: the message whose PUBREL came last
	delivered map[int]int    // how often each message was delivered
	seen      map[uint16]bool
	last      int // the greatest message on this connection
}

// serve plays one connection until that many packets have come, or DISCONNECT. It answers late, but in order
// [MQTT-4.6.0-2], and loses the answers it still owes when the connection breaks.
func (j *judge) serve(p *peer, packets int) {
	var answers []packet.Packet
	j.seen, j.last = make(map[uint16]bool), -1
	for range packets {
		pkt, _ := p.next()
		switch m := pkt.(type) {
		case *packet.Publish:
			answers = append(answers, j.publish(m))
		case *packet.Pubrel:
			answers = append(answers, j.release(m))
		case *packet.Disconnect:
			return
		default:
			j.t.Fatalf("got %v", pkt.Type())
		}
		for len(answers) > 0 && j.rng.IntN(3) > 0 {
			p.send(answers[0])
			answers = answers[1:]
		}
	}
}

// appear wants the messages of a connection in the order of their numbers: so old ones come first.
func (j *judge) appear(id uint16, n int, what string) {
	j.t.Helper()
	if j.seen[id] {
		return
	}
	if j.seen[id] = true; n <= j.last {
		j.t.Fatalf("%s of message %d after message %d", what, n, j.last)
	}
	j.last = n
}

func (j *judge) publish(m *packet.Publish) packet.Packet {
	n, _ := strconv.Atoi(string(m.Payload))
	if old, ok := j.released[m.PacketID]; ok && old == n {
		j.t.Fatalf("message %d: PUBLISH after PUBREL [MQTT-4.3.3-1]", n)
	}
	old, again := j.published[m.PacketID]
	again = again && old == n
	if again && !m.Dup {
		j.t.Fatalf("message %d came again without DUP [MQTT-3.3.1-1]", n)
	}
	if again && n <= j.last {
		j.t.Fatalf("message %d came twice on a connection, or after message %d", n, j.last)
	}
	delete(j.seen, m.PacketID) // the identifier may have been free again
	j.appear(m.PacketID, n, "PUBLISH")
	if !again {
		j.delivered[n]++
	}
	j.published[m.PacketID] = n
	delete(j.released, m.PacketID)
	if m.QoS == 1 {
		return &packet.Puback{PacketID: m.PacketID}
	}
	return &packet.Pubrec{PacketID: m.PacketID}
}

func (j *judge) release(m *packet.Pubrel) packet.Packet {
	if n, ok := j.published[m.PacketID]; ok {
		j.released[m.PacketID] = n
		delete(j.published, m.PacketID)
	}
	j.appear(m.PacketID, j.released[m.PacketID], "PUBREL")
	return &packet.Pubcomp{PacketID: m.PacketID}
}

// TestResendUnderLoad breaks many connections while messages are handed over without a pause: every message arrives,
// those of QoS 2 exactly once, and their senders are told exactly once.
func TestResendUnderLoad(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			const connections = 40
			s := listen(t)
			o := s.options()
			o.KeepSession, o.Reconnect.Enabled, o.InFlight = true, true, 30
			session, p := s.open(o)
			a := newAcks(t)
			var stop atomic.Bool
			sent := async(func() int {
				n := 0
				for ; !stop.Load(); n++ {
					qos := packet.QoS(1 + min(n%3, 1)) // two of three have QoS 2
					if err := session.Publish(t.Context(), message(qos, strconv.Itoa(n)), a.callback(n)); err != nil {
						return -1 // the test has failed, or will
					}
				}
				return n
			})
			rng := rand.New(rand.NewPCG(seed, 1))
			j := &judge{t: t, rng: rng, published: map[uint16]int{}, released: map[uint16]int{}, delivered: map[int]int{}}
			for range connections {
				j.serve(p, 1+rng.IntN(60))
				age(session)
				p.drop()
				p = s.connect(true)
			}
			stop.Store(true)
			var n int
			closed := async(func() error {
				n = <-sent
				if err := session.Drain(t.Context()); err != nil {
					return err
				}
				return session.Close()
			})
			j.rng = rand.New(always{}) // answer everything at once
			j.serve(p, math.MaxInt)
			if err := receive(t, closed); err != nil {
				t.Fatal(err)
			}
			if n < connections {
				t.Errorf("only %d messages over %d connections", n, connections)
			}
			checkOnce(t, a, j, n)
			if got := session.Stats(); got.Published != uint64(n) || got.Written != uint64(n) || got.Acknowledged != uint64(n) || got.Pending != 0 || got.Reconnects != connections {
				t.Errorf("%d messages: %+v", n, got)
			}
		})
	}
}

// always is the source of a die that shows its highest number.
type always struct{}

func (always) Uint64() uint64 { return math.MaxUint64 }

// checkOnce wants n messages delivered and acknowledged, each once.
func checkOnce(t *testing.T, a *acks, j *judge, n int) {
	t.Helper()
	acked := make(map[int]int)
	for range n {
		got := receive(t, a.c)
		if got.err != nil {
			t.Fatalf("message %d: %v", got.id, got.err)
		}
		acked[got.id]++
	}
	a.none()
	for i := range n {
		if j.delivered[i] != 1 || acked[i] != 1 {
			t.Errorf("message %d was delivered %d times and acknowledged %d times", i, j.delivered[i], acked[i])
		}
	}
	if len(j.delivered) != n {
		t.Errorf("%d messages were delivered, want %d", len(j.delivered), n)
	}
}
