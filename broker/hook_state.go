package broker

import (
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// The methods below keep the store up to date with mochi's state, and number messages.

// OnSubscribed is called before SUBACK is sent, for the filters that were refused too.
func (h *hook) OnSubscribed(cl *mochi.Client, pk packets.Packet, codes []byte) {
	ss := sessionOf(cl)
	for i, sub := range pk.Filters {
		e := ss.event(Subscribed)
		e.Topic, e.QoS = sub.Filter, sub.Qos
		if e.Code = codes[i]; e.Code >= packets.ErrUnspecifiedError.Code {
			e.Kind, e.Detail = Refused, "subscribe: "+refusedFilter(ss, sub.Filter)
		} else {
			h.s.store.putSubscription(cl, sub)
		}
		h.s.emit(e)
	}
}

func refusedFilter(ss *session, filter string) string {
	if !ss.acl.canSubscribe(filter) {
		return packets.ErrNotAuthorized.Reason
	}
	return packets.ErrTopicFilterInvalid.Reason
}

// OnUnsubscribed is called for an UNSUBSCRIBE and when a session ends.
func (h *hook) OnUnsubscribed(cl *mochi.Client, pk packets.Packet) {
	for _, sub := range pk.Filters {
		h.s.store.dropSubscription(cl, sub.Filter)
		if !cl.Closed() {
			e := sessionOf(cl).event(Unsubscribed)
			e.Topic = sub.Filter
			h.s.emit(e)
		}
	}
}

// OnQosPublish is called when mochi has added a message to the session of its receiver, or the state of a handshake to
// the session of its sender.
func (h *hook) OnQosPublish(cl *mochi.Client, pk packets.Packet, _ int64, _ int) {
	switch pk.FixedHeader.Type {
	case packets.Publish:
		ss := sessionOf(cl)
		if !ss.number(&pk) {
			ss.forward(pk)
			return
		}
		pk.FixedHeader.Dup = !cl.Closed() // it may have been sent when it is read back
		h.s.store.putMessage(cl, pk)
	case packets.Pubrec:
		h.s.store.putMessage(cl, pk)
	}
}

// OnQosComplete is called when a handshake is over.
func (h *hook) OnQosComplete(cl *mochi.Client, pk packets.Packet) {
	ss := sessionOf(cl)
	if !ss.takenOver() { // otherwise its successor has the message
		h.s.store.dropMessage(cl, pk.PacketID)
	}
	ss.unacked.open()
}

// OnQosDropped is called when a handshake was given up.
func (h *hook) OnQosDropped(cl *mochi.Client, pk packets.Packet) { h.OnQosComplete(cl, pk) }

// OnRetainMessage is called when a retained message was set (change is 1) or removed.
func (h *hook) OnRetainMessage(_ *mochi.Client, pk packets.Packet, change int64) {
	if change == 1 {
		h.s.store.putRetained(pk)
	} else {
		h.s.store.dropRetained(pk.TopicName)
	}
}

// OnRetainedExpired is called when the message of a topic has outlived its expiry interval.
func (h *hook) OnRetainedExpired(topic string) { h.s.store.dropRetained(topic) }
