package connect

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"mq/packet"
)

// duplicateTopic replaces the topic of a QoS 2 message that was delivered before. No real topic holds U+0000
// [MQTT-4.7.3-2], so that it cannot be mistaken.
const duplicateTopic = "\x00"

// ledger is paho's Store, and with it the truth about every QoS 1 and 2 message: paho puts each packet in before it is
// sent or delivered and deletes it when its acknowledgement has come. That makes it the place to count the in-flight
// window, to tell callers of acknowledgements (paho's tokens complete at every reconnection), to turn a PUBLISH into a
// PUBREL once PUBREC has come [MQTT-4.4.0-1], and to notice QoS 2 messages that come twice [MQTT-4.3.3-2].
type ledger struct {
	window  int // messages of QoS 1 and 2 at once
	window2 int // of which of QoS 2

	mu       sync.Mutex
	cond     sync.Cond // room was made, the gate opened, or the session ended
	out      map[uint16]*outbound
	out2     int // how many of out have QoS 2
	seq      uint64
	nextDone func(error) // of the message being handed to paho

	up       bool     // the connection stands
	resend   []uint16 // packet identifiers paho has still to send again, in order
	conn     uint64   // number of the connection
	ended    error
	isEnded  bool
	acked    uint64
	written  uint64
	received map[uint16]struct{} // QoS 2 messages delivered and not yet released
	owed     map[uint16]struct{} // messages delivered whose handshake on this connection is not over
	dups     uint64
}

// outbound is a PUBLISH of ours on its way.
type outbound struct {
	seq      uint64
	packet   packets.PublishPacket // a copy: paho changes its own when it writes it
	done     func(error)
	conn     uint64 // the connection on which it was last written, 0 for none
	released bool   // PUBREL was sent: the PUBLISH must not be sent again
}

// maxWindow leaves packet identifiers for SUBSCRIBE and UNSUBSCRIBE.
const maxWindow = 65000

func newLedger(window int) *ledger {
	window2 := window
	if window == 0 {
		window, window2 = DefaultInFlight, DefaultInFlight2
	}
	l := &ledger{window: min(window, maxWindow), window2: min(window2, maxWindow), out: make(map[uint16]*outbound), received: make(map[uint16]struct{}), owed: make(map[uint16]struct{})}
	l.cond.L = &l.mu
	return l
}

// The Store interface of paho follows. Keys are "o.N" for what we send and "i.N" for what we receive.

func (l *ledger) Open()  {}
func (l *ledger) Close() {}

// Reset is called by paho on the first connection of a clean session, when the ledger is empty anyway.
func (l *ledger) Reset() {}

func (l *ledger) Put(key string, p packets.ControlPacket) {
	id := keyID(key)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch p := p.(type) {
	case *packets.PublishPacket:
		if key[0] == 'o' {
			if l.isEnded || l.up && len(l.resend) > 0 {
				// Nobody would tell the sender; or it was admitted before the connection broke and comes too late for the
				// list of what is sent again, but too early for the end of it. Publish sees that it was not taken.
				return
			}
			l.seq++
			if p.Qos == 2 {
				l.out2++
			}
			l.out[id] = &outbound{seq: l.seq, packet: *p, done: l.nextDone}
			l.nextDone = nil
			return
		}
		l.noteReceived(id, p)
	case *packets.PubrelPacket:
		delete(l.received, id)
	}
}

func (l *ledger) noteReceived(id uint16, p *packets.PublishPacket) {
	if p.Qos == 2 {
		if _, again := l.received[id]; again {
			l.dups++
			p.TopicName = duplicateTopic
		}
		l.received[id] = struct{}{}
	}
	l.owed[id] = struct{}{}
}

func (l *ledger) Get(key string) packets.ControlPacket {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.out[keyID(key)]
	switch {
	case o == nil:
		return nil
	case o.released:
		rel := packets.NewControlPacket(packets.Pubrel).(*packets.PubrelPacket)
		rel.MessageID = o.packet.MessageID
		return rel
	}
	again := o.packet // paho sets DUP on it while the old packet may still be in its hands
	return &again
}

// All lists what has to be sent again, in the order in which it was first sent [MQTT-4.6.0-1].
func (l *ledger) All() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resend = make([]uint16, 0, len(l.out))
	for id := range l.out {
		l.resend = append(l.resend, id)
	}
	slices.SortFunc(l.resend, func(a, b uint16) int { return cmp.Compare(l.out[a].seq, l.out[b].seq) })
	keys := make([]string, len(l.resend))
	for i, id := range l.resend {
		keys[i] = "o." + strconv.Itoa(int(id))
	}
	l.up = true
	l.cond.Broadcast()
	return keys
}

// Del is called when PUBACK or PUBCOMP has come for "o.N", and when we send PUBACK or PUBCOMP for "i.N".
func (l *ledger) Del(key string) {
	if key[0] != 'o' {
		return
	}
	id := keyID(key)
	var done func(error)
	l.mu.Lock()
	if o := l.out[id]; o != nil {
		done = o.done
		delete(l.out, id)
		if o.packet.Qos == 2 {
			l.out2--
		}
		l.acked++
		l.dropResend(id)
		l.cond.Broadcast()
	}
	l.mu.Unlock()
	if done != nil {
		done(nil)
	}
}

func keyID(key string) uint16 {
	n, _ := strconv.ParseUint(key[2:], 10, 16)
	return uint16(n)
}

// What the connection reports follows.

// connecting begins connection number n: nothing is sent until paho has asked, with All, what to send again.
func (l *ledger) connecting(n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn, l.up = n, false
	clear(l.owed)
}

// connected is called with the CONNACK. If the server has no session, its packet identifiers start anew.
func (l *ledger) connected(sessionPresent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !sessionPresent {
		clear(l.received)
	}
	if l.conn == 1 { // paho does not ask for the list on a first connection that is clean
		l.up = true
	}
	l.cond.Broadcast()
}

// lost notes that connection n is gone.
func (l *ledger) lost(n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n == l.conn {
		l.up = false
		l.cond.Broadcast()
	}
}

// mayWrite decides whether a PUBLISH with packet identifier id goes out on connection n. paho can hand over the same
// message twice after a reconnection, from its store and from a Publish that was waiting; it goes out once, in its turn.
func (l *ledger) mayWrite(id uint16, n uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.out[id]
	if o == nil || o.released || o.conn == n {
		return false
	}
	if !l.up {
		return false // a Publish that was waiting is ahead of the list that All is about to make, which has it too
	}
	if i := slices.Index(l.resend, id); i > 0 {
		return false // its turn comes
	}
	if o.conn == 0 {
		l.written++
	}
	o.conn = n
	l.dropResend(id)
	return true
}

// release notes that PUBREL was sent for id.
func (l *ledger) release(id uint16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := l.out[id]; o != nil && o.packet.Qos == 2 { // a PUBREC for QoS 1 is the server's mistake
		o.released = true
		l.dropResend(id)
	}
}

func (l *ledger) dropResend(id uint16) {
	switch i := slices.Index(l.resend, id); {
	case i < 0:
		return
	case i == 0:
		l.resend = l.resend[1:]
	default:
		l.resend = slices.Delete(l.resend, i, i+1)
	}
	if len(l.resend) == 0 {
		l.cond.Broadcast()
	}
}

// settled notes that the last packet we owe for a received message was sent.
func (l *ledger) settled(id uint16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.owed, id)
	if len(l.owed) == 0 {
		l.cond.Broadcast()
	}
}

// withheld notes that a received message was not accepted by the application and is to come again.
func (l *ledger) withheld(id uint16) {
	l.mu.Lock()
	delete(l.received, id)
	l.mu.Unlock()
	l.settled(id)
}

// What the session asks follows.

// admit waits until a message may be handed to paho: the connection stands, everything old has been sent again, and for
// QoS 1 and 2 the window has room.
func (l *ledger) admit(ctx context.Context, qos packet.QoS) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.wait(ctx, func() bool {
		return l.isEnded || l.up && len(l.resend) == 0 && (qos == 0 || len(l.out) < l.window && (qos == 1 || l.out2 < l.window2))
	})
	if err == nil && l.isEnded {
		err = l.endedError()
	}
	return err
}

// drain waits until no message of ours is on its way.
func (l *ledger) drain(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.wait(ctx, func() bool { return len(l.out) == 0 || l.isEnded })
	if err == nil && len(l.out) > 0 {
		err = l.endedError()
	}
	return err
}

// settle waits until the handshakes of received messages are over.
func (l *ledger) settle(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wait(ctx, func() bool { return len(l.owed) == 0 || !l.up || l.isEnded })
}

// wait returns when ready is true or ctx ends. It is called, and calls ready, with the lock held.
func (l *ledger) wait(ctx context.Context, ready func() bool) error {
	if ready() {
		return nil
	}
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.cond.Broadcast()
	})
	defer stop()
	for !ready() {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.cond.Wait()
	}
	return nil
}

// expect sets the callback of the message that is handed to paho next; the answer counts the messages taken so far.
func (l *ledger) expect(done func(error)) (taken uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextDone = done
	return l.seq
}

// taken counts the messages paho has put in.
func (l *ledger) taken() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

// end wakes everybody who waits and tells the senders of unacknowledged messages why nothing more will come.
func (l *ledger) end(err error) {
	l.mu.Lock()
	if l.isEnded {
		l.mu.Unlock()
		return
	}
	l.isEnded, l.ended, l.up = true, err, false
	waiting := slices.SortedFunc(maps.Values(l.out), func(a, b *outbound) int { return cmp.Compare(a.seq, b.seq) })
	var tell []func(error)
	for _, o := range waiting {
		if o.done != nil {
			tell = append(tell, o.done)
			o.done = nil // an acknowledgement that still arrives is too late
		}
	}
	l.cond.Broadcast()
	err = l.endedError()
	l.mu.Unlock()
	for _, done := range tell {
		done(err)
	}
}

func (l *ledger) endedError() error {
	if l.ended != nil {
		return l.ended
	}
	return ErrClosed
}
