package packet

import (
	"bytes"
	"reflect"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/google/go-cmp/cmp"
)

// TestPaho holds this codec to the one of eclipse/paho.mqtt.golang for every good vector of 3.1 and 3.1.1: what we write
// it reads with the same values, and what it writes of them we read.
func TestPaho(t *testing.T) {
	n := map[Type]int{}
	for _, v := range loadVectors(t) {
		if v.version == V5 || v.sentinel != nil || v.canon != nil {
			continue
		}
		p, _, err := Decode(v.bytes, v.version)
		if err != nil {
			t.Fatal(err)
		}
		ver := versionOf(p, v.version)
		if ver == V5 {
			continue
		}
		n[p.Type()]++
		theirs, err := paho.ReadPacket(bytes.NewReader(v.bytes))
		if err != nil {
			t.Errorf("%s: paho: %v", v.name, err)
			continue
		}
		if got := fromPaho(theirs, ver); !reflect.DeepEqual(p, got) {
			t.Errorf("%s: paho reads other values:\n%s", v.name, cmp.Diff(p, got))
		}
		var out bytes.Buffer
		if err := theirs.Write(&out); err != nil {
			t.Errorf("%s: paho writes: %v", v.name, err)
		}
		if got, _, err := Decode(out.Bytes(), ver); err != nil || !reflect.DeepEqual(p, got) {
			t.Errorf("%s: paho wrote %x: %v\n%s", v.name, out.Bytes(), err, cmp.Diff(p, got))
		}
	}
	for typ := CONNECT; typ < AUTH; typ++ {
		if n[typ] == 0 {
			t.Errorf("no vector of %v", typ)
		}
	}
}

// fromPaho turns paho's values into ours.
func fromPaho(c paho.ControlPacket, v Version) Packet {
	switch c := c.(type) {
	case *paho.ConnectPacket:
		return connectFromPaho(c)
	case *paho.ConnackPacket:
		return &Connack{SessionPresent: c.SessionPresent, ReturnCode: ReturnCode(c.ReturnCode)}
	case *paho.PublishPacket:
		return &Publish{Dup: c.Dup, QoS: QoS(c.Qos), Retain: c.Retain, Topic: []byte(c.TopicName), PacketID: c.MessageID, Payload: c.Payload}
	case *paho.PubackPacket:
		return &Puback{PacketID: c.MessageID}
	case *paho.PubrecPacket:
		return &Pubrec{PacketID: c.MessageID}
	case *paho.PubrelPacket:
		return &Pubrel{Dup: c.Dup, PacketID: c.MessageID}
	case *paho.PubcompPacket:
		return &Pubcomp{PacketID: c.MessageID}
	case *paho.SubscribePacket:
		p := &Subscribe{Dup: c.Dup, PacketID: c.MessageID}
		for i, f := range c.Topics {
			p.Subscriptions = append(p.Subscriptions, Subscription{Filter: f, QoS: QoS(c.Qoss[i])})
		}
		return p
	case *paho.SubackPacket:
		p := &Suback{PacketID: c.MessageID}
		for _, code := range c.ReturnCodes {
			p.Codes = append(p.Codes, ReasonCode(code))
		}
		return p
	case *paho.UnsubscribePacket:
		return &Unsubscribe{Dup: c.Dup, PacketID: c.MessageID, Filters: c.Topics}
	case *paho.UnsubackPacket:
		return &Unsuback{PacketID: c.MessageID}
	case *paho.PingreqPacket:
		return &Pingreq{}
	case *paho.PingrespPacket:
		return &Pingresp{}
	}
	return &Disconnect{}
}

func connectFromPaho(c *paho.ConnectPacket) *Connect {
	p := &Connect{
		Version: Version(c.ProtocolVersion &^ 0x80), Bridge: c.ProtocolVersion >= 0x80, CleanStart: c.CleanSession, KeepAlive: c.Keepalive,
		ClientID: c.ClientIdentifier, HasUserName: c.UsernameFlag, UserName: c.Username, HasPassword: c.PasswordFlag, Password: c.Password,
	}
	if c.WillFlag {
		p.Will = &Will{Topic: c.WillTopic, Payload: c.WillMessage, QoS: QoS(c.WillQos), Retain: c.WillRetain}
	}
	return p
}
