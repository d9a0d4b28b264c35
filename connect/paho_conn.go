package connect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"mq/packet"
)

// pahoConn is the connection handed to paho. paho writes one packet a Write, so that every outgoing packet can be looked
// at, and incoming packets are framed here before paho reads them: that is how the ledger learns what really went over
// the wire, and how answers that would crash paho or that are not MQTT at all become typed errors.
type pahoConn struct {
	*transport
	s      *pahoSession
	number uint64 // of the connection, from 1

	connackAt atomic.Bool  // CONNACK has come
	upSince   atomic.Int64 // Unix nanoseconds of a CONNACK with success, 0 for none
	unread    atomic.Int64 // bytes that have arrived and paho has not taken
	wrote     atomic.Int64 // PUBLISH packets paho has written
	pinged    atomic.Bool  // a PINGREQ has no PINGRESP
	left      int          // bytes of the packet being read that paho has still to take
	deadline  *time.Timer  // of the CONNACK

	mu      sync.Mutex
	err     error          // the first error, as the session reports it
	answers map[uint16]int // return codes that a SUBACK is to have, 0 for an UNSUBACK
}

// newPahoConn takes over conn, on which CONNACK is to come before the deadline.
func newPahoConn(s *pahoSession, conn net.Conn, number uint64, deadline time.Time) *pahoConn {
	c := &pahoConn{s: s, number: number, answers: make(map[uint16]int)}
	c.transport = newTransport(conn, s.opts.Tap, c.busy, func(err error) { c.fail(c.readError(err)) })
	c.deadline = time.AfterFunc(time.Hour, func() {
		c.fail(&ConnectError{Stage: StageConnack, Addr: s.opts.Addr(), Err: os.ErrDeadlineExceeded,
			Reason: fmt.Sprintf("connected, but no CONNACK within %v", s.opts.ConnectTimeout),
			hints:  []string{"is this an MQTT port? A TLS port needs mqtts:// or --cafile", "a slow server needs a longer --connect-timeout"}})
	})
	c.deadline.Reset(time.Until(deadline)) // it may fire at once, when c must be complete
	return c
}

// fail keeps the first reason for which the connection ends, and ends it.
func (c *pahoConn) fail(err error) error {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	err = c.err
	c.mu.Unlock()
	c.Close()
	return err
}

// reason returns why the connection ended: what fail was told, else what the socket said.
func (c *pahoConn) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.transport.failed(); c.err == nil && err != nil {
		return c.readError(err)
	}
	return c.err
}

// Close closes the socket without flushing; a DISCONNECT has been flushed when it was written.
func (c *pahoConn) Close() error {
	c.deadline.Stop()
	c.mu.Lock()
	if c.err == nil && c.pinged.Load() { // paho closes a connection whose server does not answer a ping
		c.err = &LostError{Addr: c.s.opts.Addr(), Reason: "the server did not answer a ping"}
	}
	c.mu.Unlock()
	c.s.ledger.lost(c.number)
	return c.transport.close()
}

func (c *pahoConn) LocalAddr() net.Addr  { return c.conn.LocalAddr() }
func (c *pahoConn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// Deadlines are the session's affair: paho counts its own from before our retries.
func (c *pahoConn) SetDeadline(time.Time) error      { return nil }
func (c *pahoConn) SetReadDeadline(time.Time) error  { return nil }
func (c *pahoConn) SetWriteDeadline(time.Time) error { return nil }

// Write takes one whole control packet.
func (c *pahoConn) Write(b []byte) (int, error) {
	t := packet.Type(b[0] >> 4)
	switch t {
	case packet.PUBLISH:
		if !c.admitPublish(b) {
			return len(b), nil
		}
	case packet.SUBSCRIBE, packet.UNSUBSCRIBE:
		c.noteSubscribe(t, b)
	case packet.PINGREQ:
		c.pinged.Store(true)
	}
	if err := c.write(b); err != nil {
		return 0, err
	}
	switch t {
	case packet.PUBREL:
		c.s.ledger.release(tailID(b))
	case packet.PUBACK, packet.PUBCOMP:
		c.s.ledger.settled(tailID(b))
	case packet.DISCONNECT:
		// What is behind the packets of QoS 0 must reach the socket before paho closes it.
		if err := c.transport.flush(c.s.opts.ConnectTimeout); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// busy reports whether packets are about to be written: messages that are on their way through paho, and answers to what
// has arrived and paho has not looked at.
func (c *pahoConn) busy() bool {
	return c.unread.Load() > 0 || c.s.handed.Load() > c.wrote.Load()
}

// admitPublish counts a PUBLISH of QoS 0 and asks the ledger about one of QoS 1 or 2.
func (c *pahoConn) admitPublish(b []byte) bool {
	c.wrote.Add(1)
	if b[0]&0x06 == 0 {
		c.s.written0.Add(1)
		return true
	}
	body := b[headerLen(b):]
	n := int(binary.BigEndian.Uint16(body))
	return c.s.ledger.mayWrite(binary.BigEndian.Uint16(body[2+n:]), c.number)
}

// noteSubscribe remembers what answer a SUBSCRIBE or UNSUBSCRIBE must get.
func (c *pahoConn) noteSubscribe(t packet.Type, b []byte) {
	body := b[headerLen(b):]
	id, codes := binary.BigEndian.Uint16(body), 0
	if t == packet.SUBSCRIBE {
		for rest := body[2:]; len(rest) > 2; codes++ {
			rest = rest[2+int(binary.BigEndian.Uint16(rest))+1:]
		}
	}
	c.mu.Lock()
	c.answers[id] = codes
	c.mu.Unlock()
}

// headerLen returns the length of the fixed header of a packet that is whole.
func headerLen(b []byte) int {
	n := 2
	for b[n-1]&0x80 != 0 {
		n++
	}
	return n
}

// tailID returns the packet identifier of a packet that ends with it.
func tailID(b []byte) uint16 { return binary.BigEndian.Uint16(b[len(b)-2:]) }

// Read hands paho the bytes of one packet after another.
func (c *pahoConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		if err := c.nextPacket(); err != nil {
			return 0, err
		}
	}
	n, err := c.r.Read(p[:min(len(p), c.left)])
	c.left -= n
	c.unread.Store(int64(c.r.Buffered()))
	if err != nil {
		return n, c.fail(c.readError(unexpectedEOF(err)))
	}
	return n, nil
}

// nextPacket waits for the next packet, checks what paho does not, and sets left to its length.
func (c *pahoConn) nextPacket() error {
	head, err := c.peekHeader()
	if err != nil {
		return c.fail(c.readError(err))
	}
	length := 0
	for i, b := range head[1:] {
		length |= int(b&0x7f) << (7 * i)
	}
	c.left = len(head) + length
	switch t := packet.Type(head[0] >> 4); t {
	case packet.CONNACK:
		return c.checkConnack(len(head), length)
	case packet.SUBACK, packet.UNSUBACK:
		return c.checkSuback(t, len(head), length)
	case packet.PUBLISH:
		if head[0]&0x06 == 0x06 { // [MQTT-3.3.1-4]
			return c.fail(c.violation("it sent a PUBLISH of QoS 3"))
		}
		return nil
	case packet.PINGRESP:
		c.pinged.Store(false)
		return nil
	case packet.PUBACK, packet.PUBREC, packet.PUBREL, packet.PUBCOMP:
		return nil
	default:
		return c.fail(c.violation(fmt.Sprintf("it sent %s, which a server does not send", t)))
	}
}

// peekHeader returns the fixed header of the next packet without taking it. The first byte a server sends is the one
// that tells whether it speaks MQTT at all.
func (c *pahoConn) peekHeader() ([]byte, error) {
	first, err := c.r.Peek(1)
	if err != nil {
		return nil, err
	}
	if !c.connackAt.Load() && packet.Type(first[0]>>4) != packet.CONNACK {
		return nil, c.notMQTT()
	}
	for n := 2; n <= 5; n++ {
		b, err := c.r.Peek(n)
		if err != nil {
			return nil, unexpectedEOF(err)
		}
		if b[n-1]&0x80 == 0 {
			return b, nil
		}
	}
	return nil, c.violation("it sent a remaining length of more than four bytes")
}

func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// checkConnack reads the two bytes of a CONNACK before paho does and turns a refusal into its error.
func (c *pahoConn) checkConnack(header, length int) error {
	if length != 2 || c.connackAt.Load() {
		return c.fail(c.violation("it sent a CONNACK that is malformed or out of place"))
	}
	b, err := c.r.Peek(header + length)
	if err != nil {
		return c.fail(c.readError(unexpectedEOF(err)))
	}
	c.deadline.Stop()
	c.connackAt.Store(true)
	present, code := b[header]&1 == 1, b[header+1]
	if code != 0 {
		return c.fail(refusedConnect(&c.s.opts, code))
	}
	c.upSince.Store(time.Now().UnixNano())
	c.s.connected(c, present)
	return nil
}

// checkSuback makes sure that a SUBACK answers a SUBSCRIBE, with as many return codes as filters [MQTT-3.9.3-1], as paho
// would panic; and that an UNSUBACK answers an UNSUBSCRIBE, as paho would take it for the PUBACK of a message.
func (c *pahoConn) checkSuback(t packet.Type, header, length int) error {
	if length < 2 {
		return c.fail(c.violation(fmt.Sprintf("it sent %s that is too short", article(t))))
	}
	b, err := c.r.Peek(header + 2)
	if err != nil {
		return c.fail(c.readError(unexpectedEOF(err)))
	}
	id := binary.BigEndian.Uint16(b[header:])
	c.mu.Lock()
	want, ok := c.answers[id]
	delete(c.answers, id)
	c.mu.Unlock()
	if !ok || length-2 != want || (want == 0) != (t == packet.UNSUBACK) {
		return c.fail(c.violation(fmt.Sprintf("it sent %s that answers no request of ours", article(t))))
	}
	return nil
}

func article(t packet.Type) string {
	if t == packet.UNSUBACK {
		return "an " + t.String()
	}
	return "a " + t.String()
}

// ProtocolError says that the server broke the rules of MQTT.
type ProtocolError struct {
	Addr   string
	Reason string
}

// Error names the server and what it did.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("%s does not keep to MQTT: %s", e.Addr, e.Reason)
}

func (c *pahoConn) violation(reason string) error {
	if !c.connackAt.Load() {
		return &ConnectError{Stage: StageConnack, Addr: c.s.opts.Addr(), Reason: "the server does not keep to MQTT: " + reason, permanent: true}
	}
	return &ProtocolError{Addr: c.s.opts.Addr(), Reason: reason}
}

// readError explains an error of the socket; before CONNACK it is a failure to connect.
func (c *pahoConn) readError(err error) error {
	var ce *ConnectError
	var pe *ProtocolError
	if errors.As(err, &ce) || errors.As(err, &pe) {
		return err
	}
	if c.connackAt.Load() {
		if errors.Is(err, io.EOF) {
			return &LostError{Addr: c.s.opts.Addr(), Reason: "the server closed the connection", Err: err}
		}
		if errors.Is(err, net.ErrClosed) { // in other words: paho takes those of net for its own doing, and waits for ever
			return &LostError{Addr: c.s.opts.Addr(), Reason: "the connection was closed", Err: err}
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return &LostError{Addr: c.s.opts.Addr(), Reason: "the server closed the connection in the middle of a packet", Err: err}
		}
		return &LostError{Addr: c.s.opts.Addr(), Reason: plainReason(err), Err: err}
	}
	return connackError(&c.s.opts, err)
}

// lossOf explains err, with which the connection ended; fail knows better if it was told before.
func (c *pahoConn) lossOf(err error) error {
	var le *LostError
	var pe *ProtocolError
	if r := c.reason(); r != nil {
		err = r
	} else if errors.Is(err, io.EOF) { // not of the connection, but of a packet that paho was reading fields from
		err = c.violation("it sent a packet that cannot be decoded")
	}
	if errors.As(err, &le) || errors.As(err, &pe) {
		return err
	}
	return &LostError{Addr: c.s.opts.Addr(), Reason: err.Error(), Err: err}
}

// LostError says that a connection that was up has broken.
type LostError struct {
	Addr   string
	Reason string
	Err    error
}

// Error names the server and the reason.
func (e *LostError) Error() string { return fmt.Sprintf("connection to %s lost: %s", e.Addr, e.Reason) }

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Err }
