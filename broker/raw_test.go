package broker

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// rawClient speaks packets, so that tests see exactly what the broker sends.
type rawClient struct {
	t       *testing.T
	conn    net.Conn
	r       *bufio.Reader
	version byte
}

func dialRaw(t *testing.T, s *Server, version byte) *rawClient {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr("tcp"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &rawClient{t: t, conn: nc, r: bufio.NewReader(nc), version: version}
}

func connectPacket(id string, clean bool) packets.Packet {
	return packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Connect},
		Connect:     packets.ConnectParams{ProtocolName: []byte("MQTT"), ClientIdentifier: id, Clean: clean, Keepalive: 60},
	}
}

// connect sends CONNECT, after edit has changed it, and returns the CONNACK.
func (c *rawClient) connect(id string, clean bool, edit func(*packets.Packet)) packets.Packet {
	c.t.Helper()
	pk := connectPacket(id, clean)
	if edit != nil {
		edit(&pk)
	}
	c.send(pk)
	return c.expect(packets.Connack)
}

func (c *rawClient) send(pk packets.Packet) {
	c.t.Helper()
	pk.ProtocolVersion = c.version
	var b bytes.Buffer
	encode := map[byte]func(*bytes.Buffer) error{
		packets.Connect: pk.ConnectEncode, packets.Publish: pk.PublishEncode, packets.Puback: pk.PubackEncode,
		packets.Pubrec: pk.PubrecEncode, packets.Pubrel: pk.PubrelEncode, packets.Pubcomp: pk.PubcompEncode,
		packets.Subscribe: pk.SubscribeEncode, packets.Unsubscribe: pk.UnsubscribeEncode,
		packets.Pingreq: pk.PingreqEncode, packets.Disconnect: pk.DisconnectEncode,
	}[pk.FixedHeader.Type]
	if err := encode(&b); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.conn.Write(b.Bytes()); err != nil {
		c.t.Fatal(err)
	}
}

// recv returns the next packet; io.EOF and the like when the broker closed the connection.
func (c *rawClient) recv() (packets.Packet, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	pk := packets.Packet{ProtocolVersion: c.version}
	first, err := c.r.ReadByte()
	if err != nil {
		return pk, err
	}
	if err := pk.FixedHeader.Decode(first); err != nil {
		return pk, err
	}
	if pk.FixedHeader.Remaining, _, err = packets.DecodeLength(c.r); err != nil {
		return pk, err
	}
	body := make([]byte, pk.FixedHeader.Remaining)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return pk, err
	}
	decode := map[byte]func([]byte) error{
		packets.Connack: pk.ConnackDecode, packets.Publish: pk.PublishDecode, packets.Puback: pk.PubackDecode,
		packets.Pubrec: pk.PubrecDecode, packets.Pubrel: pk.PubrelDecode, packets.Pubcomp: pk.PubcompDecode,
		packets.Suback: pk.SubackDecode, packets.Unsuback: pk.UnsubackDecode, packets.Disconnect: pk.DisconnectDecode,
	}[pk.FixedHeader.Type]
	if decode == nil {
		return pk, nil
	}
	return pk, decode(body)
}

func (c *rawClient) expect(kind byte) packets.Packet {
	c.t.Helper()
	pk, err := c.recv()
	if err != nil {
		c.t.Fatalf("waiting for packet type %d: %v", kind, err)
	}
	if pk.FixedHeader.Type != kind {
		c.t.Fatalf("got packet type %d, want %d: %+v", pk.FixedHeader.Type, kind, pk)
	}
	return pk
}

func (c *rawClient) expectClosed() {
	c.t.Helper()
	if pk, err := c.recv(); err == nil {
		c.t.Fatalf("got packet type %d, want a closed connection", pk.FixedHeader.Type)
	}
}

func (c *rawClient) ack(kind byte, id uint16) {
	c.t.Helper()
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: kind}, PacketID: id}
	if kind == packets.Pubrel {
		pk.FixedHeader.Qos = 1
	}
	c.send(pk)
}

func (c *rawClient) subscribe(id uint16, filter string, qos byte) packets.Packet {
	c.t.Helper()
	c.send(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: id,
		Filters: packets.Subscriptions{{Filter: filter, Qos: qos}},
	})
	return c.expect(packets.Suback)
}

func (c *rawClient) publish(id uint16, topic string, qos byte, payload string) {
	c.t.Helper()
	c.send(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos}, PacketID: id, TopicName: topic, Payload: []byte(payload),
	})
}

// sync waits until the broker has processed everything c sent so far.
func (c *rawClient) sync() {
	c.t.Helper()
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
	c.expect(packets.Pingresp)
}
