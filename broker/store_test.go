package broker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mochi-mqtt/server/v2/packets"
)

func TestStoreSurvivesRestart(t *testing.T) {
	for version, session := range map[byte]func(*packets.Packet){
		4: nil,
		5: func(pk *packets.Packet) {
			pk.Properties.SessionExpiryInterval, pk.Properties.SessionExpiryIntervalFlag = 100, true
		},
	} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			o := Options{StoreFile: filepath.Join(t.TempDir(), "store"), Users: parseUsers(t, "deny no")}
			s := startBroker(t, o)
			sub := dialRaw(t, s, version)
			sub.connect("sub", false, session)
			sub.subscribe(1, "q/#", 2)
			sub.subscribe(2, "no", 1)
			sub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}})
			sub.expectClosed()
			pub := dialRaw(t, s, version)
			pub.connect("pub", true, nil)
			var want []string
			for i := range 50 {
				m := fmt.Sprint("m", i)
				want = append(want, m)
				pub.publish(uint16(i+1), "q/x", 1, m)
				pub.expect(packets.Puback)
			}
			pub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true}, TopicName: "r", Payload: []byte("kept"),
				Properties: packets.Properties{PayloadFormat: 1, PayloadFormatFlag: true, User: []packets.UserProperty{{Key: "k", Val: "v"}}}})
			pub.sync()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}

			s = startBroker(t, o)
			if st := s.Stats(); st.Subscriptions != 1 || st.Retained != 1 {
				t.Errorf("after the restart: %+v", st)
			}
			sub = dialRaw(t, s, version)
			if ack := sub.connect("sub", false, session); !ack.SessionPresent {
				t.Error("the session is gone")
			}
			var got []string
			for range want {
				pk := sub.expect(packets.Publish)
				if pk.FixedHeader.Dup {
					t.Error("DUP on a message that was never sent")
				}
				got = append(got, string(pk.Payload))
				sub.ack(packets.Puback, pk.PacketID)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			sub.subscribe(3, "r", 0)
			pk := sub.expect(packets.Publish)
			if string(pk.Payload) != "kept" || version == 5 && (!pk.Properties.PayloadFormatFlag || len(pk.Properties.User) != 1) {
				t.Errorf("retained: %+v", pk)
			}
			// Neither acknowledged messages nor ended sessions come back.
			sub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}})
			sub.expectClosed()
			sub = dialRaw(t, s, version)
			sub.connect("sub", true, nil)
			sub.sync()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = startBroker(t, o)
			if ack := dialRaw(t, s, version).connect("sub", false, session); ack.SessionPresent || s.Stats().Subscriptions != 0 {
				t.Error("a discarded session came back")
			}
		})
	}
}

func TestStoreKeepsQoS2State(t *testing.T) {
	o := Options{StoreFile: filepath.Join(t.TempDir(), "store")}
	s := startBroker(t, o)
	c := dialRaw(t, s, 4)
	c.connect("c", false, nil)
	c.subscribe(1, "a", 2)
	c.publish(7, "a", 2, "once")
	c.expect(packets.Pubrec)
	pk := c.expect(packets.Publish)
	c.ack(packets.Pubrec, pk.PacketID)
	c.expect(packets.Pubrel)
	c.sync()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = startBroker(t, o)
	c = dialRaw(t, s, 4)
	c.connect("c", false, nil)
	if rel := c.expect(packets.Pubrel); rel.PacketID != pk.PacketID {
		t.Fatalf("PUBREL of %d, want %d", rel.PacketID, pk.PacketID)
	}
	c.ack(packets.Pubcomp, pk.PacketID)
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 2, Dup: true}, PacketID: 7, TopicName: "a", Payload: []byte("once")})
	c.expect(packets.Pubrec)
	c.ack(packets.Pubrel, 7)
	c.expect(packets.Pubcomp) // and no second PUBLISH before it
	c.sync()
}

func TestStoreErrors(t *testing.T) {
	dir := t.TempDir()
	locked := filepath.Join(dir, "locked")
	startBroker(t, Options{StoreFile: locked})
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a store\n", 2000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, want string }{
		{locked, "store " + locked + ": in use by another process"},
		{text, "store " + text + ": not a store of this broker"},
		{filepath.Join(dir, "none", "x"), "no such file or directory"},
	} {
		_, err := Start(Options{Listeners: []Listener{{"tcp", "127.0.0.1:0"}}, StoreFile: tt.path})
		var se *StoreError
		if !errors.As(err, &se) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}
