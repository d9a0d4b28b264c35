package broker

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// hook is where mochi asks and tells this package things. Its methods run in the goroutine of the client that caused
// them, except OnPacketEncode of queued messages, which runs in the goroutine that writes to the receiving client.
type hook struct {
	mochi.HookBase
	s *Server
}

var _ mochi.Hook = (*hook)(nil)

var hooked = []byte{
	mochi.OnConnect, mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnSessionEstablish, mochi.OnSessionEstablished,
	mochi.OnDisconnect, mochi.OnPacketRead, mochi.OnPacketEncode, mochi.OnPacketSent, mochi.OnPacketProcessed,
	mochi.OnSubscribed, mochi.OnUnsubscribed, mochi.OnPublish, mochi.OnPublishDropped, mochi.OnRetainMessage,
	mochi.OnQosPublish, mochi.OnQosComplete, mochi.OnQosDropped, mochi.OnClientExpired, mochi.OnRetainedExpired,
}

// ID names the hook.
func (h *hook) ID() string { return "mq" }

// Provides reports which methods mochi should call.
func (h *hook) Provides(b byte) bool { return bytes.IndexByte(hooked, b) >= 0 }

// OnPacketRead sees every packet before mochi validates and processes it.
func (h *hook) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	ss := sessionOf(cl)
	switch pk.FixedHeader.Type {
	case packets.Connect:
		allowEmpty(&pk)
	case packets.Publish:
		ss.busy.Store(true)
	case packets.Subscribe, packets.Unsubscribe:
		ss.busy.Store(true)
		ss.ackID, pk.PacketID = pk.PacketID, freeID(cl, pk.PacketID)
	case packets.Puback, packets.Pubcomp:
		ss.release(pk.PacketID)
	case packets.Pubrec:
		if pk.ReasonCode >= packets.ErrUnspecifiedError.Code {
			ss.release(pk.PacketID)
		}
	}
	return pk, nil
}

// emptyWill stands for a will message without payload, which MQTT allows and mochi refuses.
var emptyWill = []byte("\x00mq: empty will")

// allowEmpty hides an empty password and an empty will payload from mochi's validation.
func allowEmpty(pk *packets.Packet) {
	if pk.Connect.PasswordFlag && len(pk.Connect.Password) == 0 {
		pk.Connect.PasswordFlag = false
	}
	if pk.Connect.WillFlag && len(pk.Connect.WillPayload) == 0 {
		pk.Connect.WillPayload = emptyWill
	}
}

// freeID returns an identifier that is not in use by a message. mochi refuses a SUBSCRIBE or UNSUBSCRIBE whose
// identifier is that of a message it sent, but the two sides number their packets independently (section 2.2.1).
func freeID(cl *mochi.Client, id uint16) uint16 {
	if id == 0 {
		return 0 // not allowed, and mochi says so
	}
	for free := uint16(65535); free > 0; free-- {
		if _, used := cl.State.Inflight.Get(free); !used {
			return free
		}
	}
	return id
}

// OnPacketProcessed follows OnPacketRead when mochi has done its part.
func (h *hook) OnPacketProcessed(cl *mochi.Client, pk packets.Packet, _ error) {
	ss := sessionOf(cl)
	switch pk.FixedHeader.Type {
	case packets.Publish, packets.Subscribe, packets.Unsubscribe:
		ss.busy.Store(false)
	case packets.Pubrec:
		// mochi takes the handshakes of messages it sends off what the client may send.
		cl.State.Inflight.IncreaseReceiveQuota()
		if rel, ok := cl.State.Inflight.Get(pk.PacketID); ok && rel.FixedHeader.Type == packets.Pubrel {
			h.s.store.putMessage(cl, rel)
		}
	}
}

// OnConnect decides whether the client may connect. It writes the refusal itself: mochi has one code for all of them,
// and a wrong one for MQTT 3.1.1.
func (h *hook) OnConnect(cl *mochi.Client, pk packets.Packet) error {
	ss := sessionOf(cl)
	ss.adopt(cl)
	if bytes.Equal(cl.Properties.Will.Payload, emptyWill) {
		cl.Properties.Will.Payload = nil
	}
	code, why := h.s.authenticate(ss, pk)
	if code == packets.CodeSuccess {
		return nil
	}
	_ = cl.WritePacket(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Connack},
		ReasonCode:  code.Code,
		Properties:  packets.Properties{ReasonString: why},
	})
	ss.refuse(connackCode(ss.version, code.Code), why)
	return code
}

// authenticate returns how to answer a CONNECT and why, and sets the access list of the session.
func (s *Server) authenticate(ss *session, pk packets.Packet) (packets.Code, string) {
	name := string(pk.Connect.Username)
	if name == "" || s.opts.Users == nil {
		if !s.opts.Anonymous.allows(ss.conn.network, ss.conn.remote, s.opts.Users) {
			return packets.ErrNotAuthorized, "anonymous clients are not allowed here"
		}
		name = ""
	} else if !s.opts.Users.check(name, pk.Connect.Password) {
		return packets.ErrBadUsernameOrPassword, packets.ErrBadUsernameOrPassword.Reason
	}
	ss.acl = s.opts.Users.aclFor(name, ss.id)
	if pk.Connect.WillFlag && !ss.acl.canWrite(pk.Connect.WillTopic) {
		return packets.ErrNotAuthorized, fmt.Sprintf("the will topic %q may not be written", pk.Connect.WillTopic)
	}
	return packets.CodeSuccess, ""
}

// OnConnectAuthenticate accepts: OnConnect has decided.
func (h *hook) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

// OnSessionEstablish prepares to continue the session of an earlier connection.
func (h *hook) OnSessionEstablish(cl *mochi.Client, pk packets.Packet) {
	existing, ok := h.s.mqtt.Clients.Get(cl.ID)
	if !ok {
		return
	}
	old := sessionOf(existing)
	if pk.Connect.Clean || (existing.Properties.Clean && existing.Properties.ProtocolVersion < 5) {
		old.conn.hurry(500 * time.Millisecond)
		return // mochi discards the old session
	}
	sessionOf(cl).takeOver(old)
}

// OnSessionEstablished is called after CONNACK.
func (h *hook) OnSessionEstablished(cl *mochi.Client, _ packets.Packet) {
	ss := sessionOf(cl)
	h.s.store.putClient(cl)
	h.s.emit(ss.event(Connected))
	ss.establish()
}

// OnDisconnect is called when the connection of an established session has ended.
func (h *hook) OnDisconnect(cl *mochi.Client, err error, expire bool) {
	ss := sessionOf(cl)
	e := ss.event(Disconnected)
	e.Detail = disconnectReason(cl, err)
	if e.Detail == takenOver {
		// mochi would remove the new client if it came to remove the old one before the flag is set.
		for i := 0; i < 1000 && !cl.IsTakenOver(); i++ {
			time.Sleep(time.Millisecond)
		}
	}
	h.s.emit(e)
	switch {
	case cl.IsTakenOver():
	case expire:
		h.s.store.dropClient(cl)
	default:
		h.s.store.putClient(cl) // DISCONNECT may have changed its expiry
	}
}

// OnClientExpired removes what mochi leaves behind: subscriptions that the next client of that name would get.
func (h *hook) OnClientExpired(cl *mochi.Client) {
	h.s.mqtt.UnsubscribeClient(cl)
	cl.ClearInflights()
	h.s.store.dropClient(cl)
}

// OnACLCheck is asked before a subscription, with its filter, and before each delivery, with the topic.
func (h *hook) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	ss := sessionOf(cl)
	if write {
		return true // OnPublish decides: only there topic aliases are resolved
	}
	if strings.ContainsAny(topic, "+#") || strings.HasPrefix(topic, sharePrefix) {
		return ss.acl.canSubscribe(topic)
	}
	if !ss.acl.canRead(topic) {
		return false
	}
	if !strings.HasPrefix(topic, "$SYS/") { // mochi's housekeeping goroutine must not wait
		ss.admit()
	}
	return true
}

// OnPublish refuses what the client may not write. MQTT 3.1.1 has no way to say so: the message is acknowledged and
// dropped.
func (h *hook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	ss := sessionOf(cl)
	allowed := ss.acl.canWrite(pk.TopicName)
	if h.s.opts.OnEvent != nil && (!allowed || h.s.opts.PublishEvents) {
		e := ss.event(Published)
		if !allowed {
			e.Kind, e.Code, e.Detail = Refused, packets.ErrNotAuthorized.Code, "publish: "+packets.ErrNotAuthorized.Reason
		}
		e.Topic, e.QoS, e.Retain, e.Size = pk.TopicName, pk.FixedHeader.Qos, pk.FixedHeader.Retain, len(pk.Payload)
		h.s.emit(e)
	}
	switch {
	case allowed:
		return pk, nil
	case pk.FixedHeader.Qos == 0:
		return pk, packets.ErrRejectPacket
	case ss.version < 5:
		return pk, packets.CodeSuccessIgnore
	}
	ack := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: pk.PacketID,
		ReasonCode: packets.ErrNotAuthorized.Code, Properties: packets.Properties{ReasonString: packets.ErrNotAuthorized.Reason},
	}
	if pk.FixedHeader.Qos == 2 {
		ack.FixedHeader.Type = packets.Pubrec
	}
	_ = cl.WritePacket(ack)
	return pk, packets.ErrRejectPacket
}

// OnPublishDropped is called when the queue of the receiving client was full.
func (h *hook) OnPublishDropped(cl *mochi.Client, pk packets.Packet) {
	e := sessionOf(cl).event(Dropped)
	e.Topic, e.QoS, e.Size, e.Detail = pk.TopicName, pk.FixedHeader.Qos, len(pk.Payload), "the client's queue is full"
	h.s.emit(e)
}

// OnPacketEncode sees every packet before it is written, without a lock, and may wait.
func (h *hook) OnPacketEncode(cl *mochi.Client, pk packets.Packet) packets.Packet {
	ss := sessionOf(cl)
	switch pk.FixedHeader.Type {
	case packets.Publish:
		ss.encodePublish(&pk)
	case packets.Connack:
		if ss.previous != nil {
			ss.collect()
		}
		pk.ReasonCode = connackCode(cl.Properties.ProtocolVersion, pk.ReasonCode)
		if pk.ReasonCode == 0 {
			pk.Properties.TopicAliasMaximum = h.s.mqtt.Options.Capabilities.TopicAliasMaximum
			pk.Properties.MaximumPacketSize = h.s.opts.MaxPacketSize
		}
	case packets.Pubrec:
		if pk.ReasonCode == packets.ErrPacketIdentifierInUse.Code {
			// A QoS 2 message sent again is acknowledged again [MQTT-4.3.3-9]; mochi calls it an error.
			pk.ReasonCode, pk.Properties.ReasonString = 0, ""
		}
	case packets.Suback, packets.Unsuback:
		pk.PacketID, pk.Properties.User = ss.ackID, nil
	case packets.Disconnect:
		if cl.Properties.ProtocolVersion < 5 {
			pk.FixedHeader.Type = packets.Reserved // not for servers before MQTT 5; mochi does not write this one
		}
	}
	return pk
}

func (ss *session) encodePublish(pk *packets.Packet) {
	resent := pk.Ignore
	if ss.takenOver() {
		pk.FixedHeader.Type = packets.Reserved // the successor sends it; mochi does not write this one
		return
	}
	if !resent {
		select {
		case <-ss.resumed:
		case <-ss.gone:
		case <-ss.s.closing:
		}
	}
	if pk.FixedHeader.Qos > 0 {
		ss.acquire(pk.PacketID)
	}
	if ss.cl.Properties.Props.MaximumPacketSize > 0 {
		ss.conn.flush() // pk may turn out too large, and then does not push out what waits for it
	}
	if !resent {
		ss.alias(pk)
	}
}

// OnPacketSent is called when a packet was written.
func (h *hook) OnPacketSent(cl *mochi.Client, pk packets.Packet, _ []byte) {
	if pk.FixedHeader.Type == packets.Publish {
		sessionOf(cl).queue.open()
	}
}
