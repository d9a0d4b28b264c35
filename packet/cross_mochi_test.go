package packet

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	mochi "github.com/mochi-mqtt/server/v2/packets"
)

// TestMochi holds this codec to the one of mochi-mqtt/server for every good vector of 3.1.1 and 5.0: what we write it
// reads with the same values, and what it writes of them we read. Property order is compared elsewhere: it keeps none.
func TestMochi(t *testing.T) {
	n := map[Type]int{}
	for _, v := range loadVectors(t) {
		if v.version == V31 || v.sentinel != nil || v.find != nil || len(v.bytes) > 2000 {
			continue
		}
		p, _, err := Decode(v.bytes, v.version)
		if err != nil {
			t.Fatal(err)
		}
		ver := versionOf(p, v.version)
		b, err := p.Append(nil, ver)
		if err != nil {
			t.Fatal(err)
		}
		want := toMochi(t, p, ver)
		if !shortDisconnect(p, b) {
			n[p.Type()]++
			got, err := mochiDecode(b, ver)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("%s: mochi reads %x: %v\n%s", v.name, b, err, diff)
			}
		}
		if lostByMochi(want) {
			continue
		}
		out, err := mochiEncode(want)
		if err != nil {
			t.Errorf("%s: mochi writes: %v", v.name, err)
			continue
		}
		q, m, err := Decode(out, ver)
		if err != nil || m != len(out) {
			t.Errorf("%s: mochi wrote %x: %v", v.name, out, err)
			continue
		}
		if diff := cmp.Diff(want, toMochi(t, q, ver), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: mochi wrote %x:\n%s", v.name, out, diff)
		}
	}
	for typ := CONNECT; typ <= AUTH; typ++ {
		if n[typ] == 0 {
			t.Errorf("no vector of %v", typ)
		}
	}
}

// shortDisconnect reports a DISCONNECT of remaining length 1, whose code mochi 2.7.9 takes for absent.
func shortDisconnect(p Packet, b []byte) bool { return p.Type() == DISCONNECT && len(b) == 3 }

// lostByMochi reports what mochi 2.7.9 does not write: codes of acknowledgements below 0x80, values that it keeps without
// a flag when they are 0 (its struct has no room for them), and what it leaves to the application.
func lostByMochi(p *mochi.Packet) bool {
	ack := p.FixedHeader.Type >= mochi.Puback && p.FixedHeader.Type <= mochi.Pubcomp
	return ack && p.ReasonCode > 0 && p.ReasonCode < 0x80 || p.FixedHeader.Type == mochi.Auth && p.Properties.AuthenticationMethod == ""
}

func mochiDecode(b []byte, v Version) (*mochi.Packet, error) {
	p := &mochi.Packet{ProtocolVersion: byte(v)}
	if err := p.FixedHeader.Decode(b[0]); err != nil {
		return nil, err
	}
	r := bytes.NewBuffer(b[1:])
	n, _, err := mochi.DecodeLength(r)
	if err != nil || n != r.Len() {
		return nil, fmt.Errorf("%d of %d bytes, %v", n, r.Len(), err)
	}
	p.FixedHeader.Remaining = n
	decode := map[byte]func([]byte) error{
		mochi.Connect: p.ConnectDecode, mochi.Connack: p.ConnackDecode, mochi.Publish: p.PublishDecode, mochi.Puback: p.PubackDecode,
		mochi.Pubrec: p.PubrecDecode, mochi.Pubrel: p.PubrelDecode, mochi.Pubcomp: p.PubcompDecode, mochi.Subscribe: p.SubscribeDecode,
		mochi.Suback: p.SubackDecode, mochi.Unsubscribe: p.UnsubscribeDecode, mochi.Unsuback: p.UnsubackDecode, mochi.Pingreq: p.PingreqDecode,
		mochi.Pingresp: p.PingrespDecode, mochi.Disconnect: p.DisconnectDecode, mochi.Auth: p.AuthDecode,
	}[p.FixedHeader.Type]
	err = decode(r.Bytes())
	p.FixedHeader.Remaining = 0
	if p.Connect.ProtocolName != nil {
		p.Connect.ProtocolName = nil // constant
	}
	return p, err
}

func mochiEncode(src *mochi.Packet) ([]byte, error) {
	p := *src
	p.Mods.AllowResponseInfo = true
	p.Connect.ProtocolName = []byte("MQTT")
	encode := map[byte]func(*bytes.Buffer) error{
		mochi.Connect: p.ConnectEncode, mochi.Connack: p.ConnackEncode, mochi.Publish: p.PublishEncode, mochi.Puback: p.PubackEncode,
		mochi.Pubrec: p.PubrecEncode, mochi.Pubrel: p.PubrelEncode, mochi.Pubcomp: p.PubcompEncode, mochi.Subscribe: p.SubscribeEncode,
		mochi.Suback: p.SubackEncode, mochi.Unsubscribe: p.UnsubscribeEncode, mochi.Unsuback: p.UnsubackEncode, mochi.Pingreq: p.PingreqEncode,
		mochi.Pingresp: p.PingrespEncode, mochi.Disconnect: p.DisconnectEncode, mochi.Auth: p.AuthEncode,
	}[p.FixedHeader.Type]
	var out bytes.Buffer
	err := encode(&out)
	return out.Bytes(), err
}

// toMochi turns our values into mochi's.
func toMochi(t *testing.T, p Packet, v Version) *mochi.Packet {
	m := &mochi.Packet{ProtocolVersion: byte(v), FixedHeader: mochi.FixedHeader{Type: byte(p.Type())}}
	switch p := p.(type) {
	case *Connect:
		connectToMochi(t, p, m)
	case *Connack:
		m.SessionPresent, m.ReasonCode, m.Properties = p.SessionPresent, byte(p.ReasonCode)|byte(p.ReturnCode), mochiProps(t, p.Properties)
	case *Publish:
		m.FixedHeader.Dup, m.FixedHeader.Qos, m.FixedHeader.Retain = p.Dup, byte(p.QoS), p.Retain
		m.TopicName, m.PacketID, m.Properties, m.Payload = string(p.Topic), p.PacketID, mochiProps(t, p.Properties), p.Payload
	case *Puback:
		m.PacketID, m.ReasonCode, m.Properties = p.PacketID, byte(p.ReasonCode), mochiProps(t, p.Properties)
	case *Pubrec:
		m.PacketID, m.ReasonCode, m.Properties = p.PacketID, byte(p.ReasonCode), mochiProps(t, p.Properties)
	case *Pubrel:
		m.FixedHeader.Qos = 1
		m.PacketID, m.ReasonCode, m.Properties = p.PacketID, byte(p.ReasonCode), mochiProps(t, p.Properties)
	case *Pubcomp:
		m.PacketID, m.ReasonCode, m.Properties = p.PacketID, byte(p.ReasonCode), mochiProps(t, p.Properties)
	case *Subscribe:
		subscribeToMochi(t, p, m)
	case *Suback:
		m.PacketID, m.Properties, m.ReasonCodes = p.PacketID, mochiProps(t, p.Properties), codesToMochi(p.Codes)
	case *Unsubscribe:
		m.FixedHeader.Qos = 1
		m.PacketID, m.Properties = p.PacketID, mochiProps(t, p.Properties)
		for _, f := range p.Filters {
			m.Filters = append(m.Filters, mochi.Subscription{Filter: f})
		}
	case *Unsuback:
		m.PacketID, m.Properties, m.ReasonCodes = p.PacketID, mochiProps(t, p.Properties), codesToMochi(p.Codes)
	case *Disconnect:
		m.ReasonCode, m.Properties = byte(p.ReasonCode), mochiProps(t, p.Properties)
	case *Auth:
		m.ReasonCode, m.Properties = byte(p.ReasonCode), mochiProps(t, p.Properties)
	}
	return m
}

func connectToMochi(t *testing.T, p *Connect, m *mochi.Packet) {
	m.Properties = mochiProps(t, p.Properties)
	m.Connect = mochi.ConnectParams{
		ClientIdentifier: p.ClientID, Keepalive: p.KeepAlive, Clean: p.CleanStart, UsernameFlag: p.HasUserName, Username: []byte(p.UserName),
		PasswordFlag: p.HasPassword, Password: p.Password,
	}
	if w := p.Will; w != nil {
		c := &m.Connect
		c.WillFlag, c.WillTopic, c.WillPayload, c.WillQos, c.WillRetain, c.WillProperties = true, w.Topic, w.Payload, byte(w.QoS), w.Retain, mochiProps(t, w.Properties)
	}
}

func subscribeToMochi(t *testing.T, p *Subscribe, m *mochi.Packet) {
	m.FixedHeader.Qos = 1
	m.PacketID, m.Properties = p.PacketID, mochiProps(t, p.Properties)
	id, _ := p.Properties.Uint(PropSubscriptionIdentifier)
	for _, s := range p.Subscriptions {
		m.Filters = append(m.Filters, mochi.Subscription{
			Filter: s.Filter, Qos: byte(s.QoS), NoLocal: s.NoLocal, RetainAsPublished: s.RetainAsPublished, RetainHandling: s.RetainHandling, Identifier: int(id),
		})
	}
}

func codesToMochi(codes []ReasonCode) (out []byte) {
	for _, c := range codes {
		out = append(out, byte(c))
	}
	return out
}

func mochiProps(t *testing.T, p Properties) (m mochi.Properties) {
	for f := range p.All() {
		s := string(f.Bytes)
		switch f.ID {
		case PropPayloadFormatIndicator:
			m.PayloadFormat, m.PayloadFormatFlag = byte(f.Uint), true
		case PropMessageExpiryInterval:
			m.MessageExpiryInterval = f.Uint
		case PropContentType:
			m.ContentType = s
		case PropResponseTopic:
			m.ResponseTopic = s
		case PropCorrelationData:
			m.CorrelationData = f.Bytes
		case PropSubscriptionIdentifier:
			m.SubscriptionIdentifier = append(m.SubscriptionIdentifier, int(f.Uint))
		case PropSessionExpiryInterval:
			m.SessionExpiryInterval, m.SessionExpiryIntervalFlag = f.Uint, true
		case PropAssignedClientIdentifier:
			m.AssignedClientID = s
		case PropServerKeepAlive:
			m.ServerKeepAlive, m.ServerKeepAliveFlag = uint16(f.Uint), true
		case PropAuthenticationMethod:
			m.AuthenticationMethod = s
		case PropAuthenticationData:
			m.AuthenticationData = f.Bytes
		case PropRequestProblemInformation:
			m.RequestProblemInfo, m.RequestProblemInfoFlag = byte(f.Uint), true
		case PropWillDelayInterval:
			m.WillDelayInterval = f.Uint
		case PropRequestResponseInformation:
			m.RequestResponseInfo = byte(f.Uint)
		case PropResponseInformation:
			m.ResponseInfo = s
		case PropServerReference:
			m.ServerReference = s
		case PropReasonString:
			m.ReasonString = s
		case PropReceiveMaximum:
			m.ReceiveMaximum = uint16(f.Uint)
		case PropTopicAliasMaximum:
			m.TopicAliasMaximum = uint16(f.Uint)
		case PropTopicAlias:
			m.TopicAlias, m.TopicAliasFlag = uint16(f.Uint), true
		case PropMaximumQoS:
			m.MaximumQos, m.MaximumQosFlag = byte(f.Uint), true
		case PropRetainAvailable:
			m.RetainAvailable, m.RetainAvailableFlag = byte(f.Uint), true
		case PropUserProperty:
			m.User = append(m.User, mochi.UserProperty{Key: s, Val: string(f.Value)})
		case PropMaximumPacketSize:
			m.MaximumPacketSize = f.Uint
		case PropWildcardSubscriptionAvailable:
			m.WildcardSubAvailable, m.WildcardSubAvailableFlag = byte(f.Uint), true
		case PropSubscriptionIdentifierAvailable:
			m.SubIDAvailable, m.SubIDAvailableFlag = byte(f.Uint), true
		case PropSharedSubscriptionAvailable:
			m.SharedSubAvailable, m.SharedSubAvailableFlag = byte(f.Uint), true
		default:
			t.Fatalf("property %v", f.ID)
		}
	}
	return m
}
