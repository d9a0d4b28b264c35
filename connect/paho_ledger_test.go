package connect

import (
	"context"
	"errors"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/google/go-cmp/cmp"
)

func pahoPublish(id uint16, qos byte) *packets.PublishPacket {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.MessageID, p.Qos, p.TopicName = id, qos, "t"
	return p
}

// TestLedgerOrder plays what paho does, in the orders that are hard to provoke: a Publish that was waiting for paho's
// channel while the connection broke comes before, in the middle of and after what is sent again. Each message goes out
// once on a connection, in its turn.
func TestLedgerOrder(t *testing.T) {
	t.Parallel()
	l := newLedger(0)
	mayWrite := func(id uint16, conn uint64, want bool, why string) {
		t.Helper()
		if got := l.mayWrite(id, conn); got != want {
			t.Errorf("mayWrite(%d, %d) is %v: %s", id, conn, got, why)
		}
	}
	l.connecting(1)
	l.connected(false)
	for _, p := range []*packets.PublishPacket{pahoPublish(5, 1), pahoPublish(4, 2), pahoPublish(3, 2)} {
		l.Put("o."+string(rune('0'+p.MessageID)), p)
		mayWrite(p.MessageID, 1, true, "it is new")
		mayWrite(p.MessageID, 1, false, "it was written")
	}
	l.release(3)
	mayWrite(3, 2, false, "its PUBREL was sent")
	l.Put("o.2", pahoPublish(2, 1)) // admitted, and then the connection breaks
	l.lost(1)
	mayWrite(2, 1, false, "the connection is gone")
	l.connecting(2)
	mayWrite(2, 2, false, "what is to be sent again was not listed yet")
	l.connected(true)
	mayWrite(2, 2, false, "what is to be sent again was not listed yet")
	if err := l.admit(shortly(t), 0); err != context.DeadlineExceeded {
		t.Errorf("admit before the list: %v", err)
	}
	if diff := cmp.Diff([]string{"o.5", "o.4", "o.3", "o.2"}, l.All()); diff != "" {
		t.Fatal(diff)
	}
	for i, want := range []packets.ControlPacket{pahoPublish(5, 1), pahoPublish(4, 2), &packets.PubrelPacket{FixedHeader: packets.FixedHeader{MessageType: packets.Pubrel, Qos: 1}, MessageID: 3}} {
		if diff := cmp.Diff(want, l.Get("o."+string(rune('5'-i)))); diff != "" {
			t.Error(diff)
		}
	}
	mayWrite(2, 2, false, "others come first")
	mayWrite(4, 2, false, "others come first")
	mayWrite(5, 2, true, "it is first")
	mayWrite(5, 2, false, "it was written")
	before := l.expect(nil)
	l.Put("o.9", pahoPublish(9, 1)) // admitted on connection 1, and here only now
	if l.taken() != before {
		t.Error("a message was taken in the middle of what is sent again")
	}
	mayWrite(9, 2, false, "it was not taken")
	l.Del("o.4") // its acknowledgement comes before its turn
	mayWrite(4, 2, false, "it is over")
	mayWrite(3, 2, false, "its PUBREL was sent")
	if err := l.admit(shortly(t), 0); err != context.DeadlineExceeded {
		t.Errorf("admit before the end of the list: %v", err)
	}
	l.release(3)
	mayWrite(2, 2, true, "it is first")
	if err := receive(t, async(func() error { return l.admit(t.Context(), 0) })); err != nil {
		t.Error(err)
	}
	if l.written != 4 {
		t.Errorf("%d messages count as written, want 4", l.written)
	}
}

// TestLedgerOwesOnlyThisConnection: an acknowledgement cannot be given any more when its connection is gone.
func TestLedgerOwesOnlyThisConnection(t *testing.T) {
	t.Parallel()
	l := newLedger(0)
	l.connecting(1)
	l.connected(false)
	l.Put("i.1", pahoPublish(1, 2))
	if err := l.settle(shortly(t)); err != context.DeadlineExceeded {
		t.Errorf("settle with a handshake under way: %v", err)
	}
	l.connecting(2)
	l.connected(true)
	l.All()
	if err := receive(t, async(func() error { return l.settle(t.Context()) })); err != nil {
		t.Error(err)
	}
	l.Put("i.1", pahoPublish(1, 2))
	settled := async(func() error { return l.settle(t.Context()) })
	l.settled(1)
	if err := receive(t, settled); err != nil {
		t.Error(err)
	}
}

// TestLedgerEndWakes everybody who waits.
func TestLedgerEndWakes(t *testing.T) {
	t.Parallel()
	why := errors.New("why")
	l := newLedger(1)
	l.connecting(1)
	l.connected(false)
	l.Put("o.1", pahoPublish(1, 1))
	calls := []<-chan error{
		async(func() error { return l.admit(t.Context(), 1) }),
		async(func() error { return l.drain(t.Context()) }),
	}
	l.end(why)
	l.end(errors.New("not this"))
	for i, c := range calls {
		if err := receive(t, c); err != why {
			t.Errorf("call %d: %v", i, err)
		}
	}
}
