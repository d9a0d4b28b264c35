package broker

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/mochi-mqtt/server/v2/packets"
)

// TestNothingIsLost publishes as fast as the broker acknowledges, 100 in flight, to one subscriber.
func TestNothingIsLost(t *testing.T) {
	total := 20000
	if testing.Short() {
		total = 2000
	}
	for qos := byte(0); qos <= 2; qos++ {
		t.Run(fmt.Sprint("qos ", qos), func(t *testing.T) {
			s := startBroker(t, Options{QueueLength: 200})
			sub, pub := dialRaw(t, s, 4), dialRaw(t, s, 4)
			sub.connect("sub", true, nil)
			sub.subscribe(1, "load", qos)
			pub.connect("pub", true, nil)
			window := make(chan struct{}, 100)
			var publisher sync.WaitGroup
			publisher.Go(func() { pub.publishMany(total, qos, window) })
			publisher.Go(func() { pub.completeMany(total, qos, window) })
			sub.receiveMany(total, qos)
			publisher.Wait()
			if st := s.Stats(); st.Dropped != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func (c *rawClient) publishMany(total int, qos byte, window chan struct{}) {
	for i := range total {
		id := uint16(0)
		if qos > 0 {
			window <- struct{}{}
			id = uint16(i%65535) + 1
		}
		c.publish(id, "load", qos, fmt.Sprint(i))
	}
}

func (c *rawClient) completeMany(total int, qos byte, window chan struct{}) {
	for done := 0; qos > 0 && done < total; {
		pk, err := c.recv()
		switch {
		case err != nil:
			return
		case pk.FixedHeader.Type == packets.Pubrec:
			c.ack(packets.Pubrel, pk.PacketID)
		default:
			done++
			<-window
		}
	}
}

// receiveMany reads until total messages have come, exactly once and in order.
func (c *rawClient) receiveMany(total int, qos byte) {
	c.t.Helper()
	for next := 0; next < total; {
		pk, err := c.recv()
		if err != nil {
			c.t.Fatalf("after %d messages: %v", next, err)
		}
		switch pk.FixedHeader.Type {
		case packets.Publish:
			if got := string(pk.Payload); got != fmt.Sprint(next) {
				c.t.Fatalf("got message %s, want %d", got, next)
			}
			next++
			switch qos {
			case 1:
				c.ack(packets.Puback, pk.PacketID)
			case 2:
				c.ack(packets.Pubrec, pk.PacketID)
			}
		case packets.Pubrel:
			c.ack(packets.Pubcomp, pk.PacketID)
		}
	}
}

func TestPahoGetsEverything(t *testing.T) {
	s := startBroker(t, Options{})
	const total = 3000
	client := func(id string) paho.Client {
		c := paho.NewClient(paho.NewClientOptions().AddBroker(s.URLs()[0]).SetClientID(id))
		wait(t, c.Connect())
		t.Cleanup(func() { c.Disconnect(0) })
		return c
	}
	sub, pub := client("sub"), client("pub")
	for qos := byte(1); qos <= 2; qos++ {
		var n atomic.Int32
		all := make(chan struct{})
		wait(t, sub.Subscribe(fmt.Sprint("q", qos), qos, func(paho.Client, paho.Message) {
			if n.Add(1) == total {
				close(all)
			}
		}))
		for range total {
			pub.Publish(fmt.Sprint("q", qos), qos, false, "x")
		}
		select {
		case <-all:
		case <-time.After(10 * time.Second):
			t.Fatalf("QoS %d: %d of %d", qos, n.Load(), total)
		}
	}
}

func TestReceiveMaximumIsRespected(t *testing.T) {
	s := startBroker(t, Options{})
	sub, pub := dialRaw(t, s, 5), dialRaw(t, s, 5)
	sub.connect("sub", true, func(pk *packets.Packet) { pk.Properties.ReceiveMaximum = 3 })
	sub.subscribe(1, "a", 1)
	pub.connect("pub", true, nil)
	const total = 200
	for i := range total {
		pub.publish(uint16(i+1), "a", 1, fmt.Sprint(i))
		pub.expect(packets.Puback)
	}
	var open []uint16
	for next := 0; next < total; {
		for len(open) < 3 && next < total {
			pk := sub.expect(packets.Publish)
			if string(pk.Payload) != fmt.Sprint(next) {
				t.Fatalf("got %s, want %d", pk.Payload, next)
			}
			open = append(open, pk.PacketID)
			next++
		}
		sub.sync() // no fourth message before an acknowledgement, and the PINGRESP is not held back
		sub.ack(packets.Puback, open[0])
		open = open[1:]
	}
}

func TestSubscribeWithIdentifierOfMessageInFlight(t *testing.T) {
	s := startBroker(t, Options{})
	c := dialRaw(t, s, 4)
	c.connect("c", true, nil)
	c.subscribe(9, "a", 1)
	c.publish(0, "a", 0, "x")
	c.expect(packets.Publish)
	pub := dialRaw(t, s, 4)
	pub.connect("pub", true, nil)
	pub.publish(1, "a", 1, "x")
	pk := c.expect(packets.Publish)
	if ack := c.subscribe(pk.PacketID, "b", 1); ack.PacketID != pk.PacketID || ack.ReasonCodes[0] != 1 {
		t.Fatalf("%+v", ack)
	}
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe, Qos: 1}, PacketID: pk.PacketID, Filters: packets.Subscriptions{{Filter: "a"}}})
	if ack := c.expect(packets.Unsuback); ack.PacketID != pk.PacketID || s.Stats().Subscriptions != 1 {
		t.Fatalf("%+v", ack)
	}
}

func TestResentQoS2IsAcknowledged(t *testing.T) {
	s := startBroker(t, Options{})
	c := dialRaw(t, s, 5)
	c.connect("c", true, nil)
	for range 2 {
		c.publish(1, "a", 2, "x")
		if pk := c.expect(packets.Pubrec); pk.ReasonCode != 0 {
			t.Fatalf("PUBREC 0x%02x", pk.ReasonCode)
		}
	}
}

// TestOfflineQueueKeepsOrder also has the client lose its connection in the middle.
func TestOfflineQueueKeepsOrder(t *testing.T) {
	s := startBroker(t, Options{})
	sub, pub := dialRaw(t, s, 4), dialRaw(t, s, 4)
	sub.connect("sub", false, nil)
	sub.subscribe(1, "a", 1)
	pub.connect("pub", true, nil)
	if err := s.DisconnectClient("sub"); err != nil {
		t.Fatal(err)
	}
	sub.expectClosed()
	const total = 500
	for i := range total {
		pub.publish(uint16(i+1), "a", 1, fmt.Sprint(i))
		pub.expect(packets.Puback)
	}
	sub = dialRaw(t, s, 4)
	sub.connect("sub", false, nil)
	for i := range 100 {
		pk := sub.expect(packets.Publish)
		if string(pk.Payload) != fmt.Sprint(i) || pk.FixedHeader.Dup {
			t.Fatalf("message %d: %+v", i, pk)
		}
		if i < 50 {
			sub.ack(packets.Puback, pk.PacketID)
		}
	}
	sub.sync2()
	again := dialRaw(t, s, 4) // takes over
	again.connect("sub", false, nil)
	for i := 50; i < total; i++ {
		pk := again.expect(packets.Publish)
		if string(pk.Payload) != fmt.Sprint(i) || i < 100 && !pk.FixedHeader.Dup {
			t.Fatalf("message %d: %+v", i, pk)
		}
		again.ack(packets.Puback, pk.PacketID)
	}
}

// sync2 is sync, but lets messages pass.
func (c *rawClient) sync2() {
	c.t.Helper()
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
	for {
		pk, err := c.recv()
		if err != nil {
			c.t.Fatal(err)
		}
		if pk.FixedHeader.Type == packets.Pingresp {
			return
		}
	}
}

// TestTakeOverUnderLoad has a subscriber lose its connection again and again while messages pour in.
func TestTakeOverUnderLoad(t *testing.T) {
	s := startBroker(t, Options{})
	const total = 5000
	first := dialRaw(t, s, 4)
	first.connect("sub", false, nil)
	first.subscribe(1, "load", 1)
	pub := dialRaw(t, s, 4)
	pub.connect("pub", true, nil)
	window := make(chan struct{}, 100)
	var publisher sync.WaitGroup
	defer publisher.Wait()
	publisher.Go(func() { pub.publishMany(total, 1, window) })
	publisher.Go(func() { pub.completeMany(total, 1, window) })
	seen := make([]bool, total)
	missing, sub, got := total, first, 0
	for missing > 0 {
		pk, err := sub.recv()
		if err != nil {
			t.Fatalf("%d are missing: %v", missing, err)
		}
		if pk.FixedHeader.Type != packets.Publish {
			continue
		}
		var n int
		_, _ = fmt.Sscan(string(pk.Payload), &n)
		if !seen[n] {
			seen[n] = true
			missing--
		}
		sub.ack(packets.Puback, pk.PacketID)
		if got++; got%250 == 0 && missing > 0 {
			sub = dialRaw(t, s, 4)
			sub.connect("sub", false, nil)
		}
	}
}

func TestStalledSubscriberDoesNotStopOthers(t *testing.T) {
	dropped := make(chan Event, 100)
	s := startBroker(t, Options{QueueLength: 20, Patience: 20 * time.Millisecond, OnEvent: func(e Event) {
		if e.Kind == Dropped {
			select {
			case dropped <- e:
			default:
			}
		}
	}})
	deaf, sub, pub := dialRaw(t, s, 4), dialRaw(t, s, 4), dialRaw(t, s, 4)
	deaf.connect("deaf", true, nil)
	deaf.subscribe(1, "big", 0)
	sub.connect("sub", true, nil)
	sub.subscribe(1, "big", 0)
	pub.connect("pub", true, nil)
	const total = 100
	go func() {
		big := strings.Repeat("x", 200_000)
		for range total {
			pub.publish(0, "big", 0, big)
		}
	}()
	for range total {
		sub.expect(packets.Publish)
	}
	if e := <-dropped; e.ClientID != "deaf" || e.Topic != "big" || s.Stats().Dropped == 0 {
		t.Fatalf("%+v", e)
	}
}

func TestTopicAliasesToClient(t *testing.T) {
	s := startBroker(t, Options{})
	sub, pub := dialRaw(t, s, 5), dialRaw(t, s, 5)
	if ack := sub.connect("sub", true, func(pk *packets.Packet) { pk.Properties.TopicAliasMaximum = 1 }); ack.Properties.TopicAliasMaximum == 0 {
		t.Error("CONNACK without Topic Alias Maximum")
	}
	sub.subscribe(1, "#", 0)
	pub.connect("pub", true, nil)
	for _, topic := range []string{"a", "a", "b", "a"} {
		pub.publish(0, topic, 0, "x")
	}
	for i, want := range []struct {
		topic string
		alias uint16
	}{{"a", 1}, {"", 1}, {"b", 0}, {"", 1}} {
		pk := sub.expect(packets.Publish)
		if pk.TopicName != want.topic || pk.Properties.TopicAlias != want.alias || pk.Properties.MessageExpiryInterval != 0 {
			t.Errorf("message %d: %+v", i, pk)
		}
	}
}

func TestWillWithoutPayload(t *testing.T) {
	s := startBroker(t, Options{})
	sub, c := dialRaw(t, s, 4), dialRaw(t, s, 4)
	sub.connect("sub", true, nil)
	sub.subscribe(1, "will", 0)
	if ack := c.connect("c", true, func(pk *packets.Packet) {
		pk.Connect.WillFlag, pk.Connect.WillTopic = true, "will"
	}); ack.ReasonCode != 0 {
		t.Fatalf("CONNACK %d", ack.ReasonCode)
	}
	if err := s.DisconnectClient("c"); err != nil {
		t.Fatal(err)
	}
	if pk := sub.expect(packets.Publish); pk.TopicName != "will" || len(pk.Payload) != 0 {
		t.Fatalf("%+v", pk)
	}
}

func TestExpiredSessionLeavesNothing(t *testing.T) {
	s := startBroker(t, Options{})
	c := dialRaw(t, s, 5)
	c.connect("c", false, func(pk *packets.Packet) {
		pk.Properties.SessionExpiryInterval, pk.Properties.SessionExpiryIntervalFlag = 1, true
	})
	c.subscribe(1, "a", 1)
	cl, _ := s.mqtt.Clients.Get("c")
	_ = s.DisconnectClient("c")
	c.expectClosed()
	(&hook{s: s}).OnClientExpired(cl) // mochi calls it once a second
	if n := s.Stats().Subscriptions; n != 0 {
		t.Fatalf("%d subscriptions", n)
	}
}
