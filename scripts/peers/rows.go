package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"mq/packet"
)

// row is one piece of work and the tools that do it; the first is the peer that the others are divided by.
type row struct {
	name       string
	messages   int
	most       int // repetitions at the most
	contenders []contender
}

type contender struct {
	name string
	run  func(*bench) (result, error)
}

const lineCount = 60000

func rows() []row {
	var out []row
	for qos := range 3 {
		out = append(out, row{fmt.Sprintf("pub -l -q %d, 60k lines of 64 B", qos), lineCount, 99, []contender{
			{"mosquitto_pub", publishLines("mosquitto_pub", qos, lines(lineCount, 64))},
			{"mq pub", publishLines("mq", qos, lines(lineCount, 64))},
		}})
	}
	for qos := range 3 {
		out = append(out, row{fmt.Sprintf("sub -q %d -C 60000", qos), lineCount, 99, []contender{
			{"mosquitto_sub", receive("mosquitto_sub", qos)},
			{"mq sub", receive("mq", qos)},
		}})
	}
	const many = 200000
	for qos := 1; qos <= 2; qos++ {
		out = append(out, row{fmt.Sprintf("pub -l -q %d, 200k lines", qos), many, 1, []contender{
			{"mosquitto_pub", publishLines("mosquitto_pub", qos, lines(many, 6))},
			{"mq pub", publishLines("mq", qos, lines(many, 6))},
		}})
	}
	return append(out, inspectRow(), row{"single pub -q 1, shell to exit", 1, 99, []contender{
		{"mosquitto_pub", single("mosquitto_pub")}, {"mq pub", single("mq")},
	}})
}

// tool returns the command line of a client of the given kind ("pub", "sub").
func (b *bench) tool(name, kind string) []string {
	if name == "mq" {
		return []string{b.mq, kind, "-p", b.broker.port}
	}
	return []string{name, "-p", b.broker.port}
}

// lines returns n numbered lines of the given width without the line end.
func lines(n, width int) []byte {
	var buf bytes.Buffer
	for i := range n {
		fmt.Fprintf(&buf, "%0*d\n", width, i)
	}
	return buf.Bytes()
}

// publishLines pipes lines into a publisher and counts what a subscriber gets.
func publishLines(name string, qos int, input []byte) func(*bench) (result, error) {
	return func(b *bench) (result, error) {
		topic := b.broker.topic()
		c, err := b.broker.count(topic)
		if err != nil {
			return result{}, err
		}
		argv := append(b.tool(name, "pub"), "-t", topic, "-q", strconv.Itoa(qos), "-l")
		r, err := measured(bytes.NewReader(input), argv[0], argv[1:]...)
		r.wanted = int64(bytes.Count(input, []byte("\n")))
		r.delivered = c.settle(r.wanted)
		return r, err
	}
}

// receive starts a subscriber, publishes to it as fast as the broker takes it, and measures the subscriber.
func receive(name string, qos int) func(*bench) (result, error) {
	return func(b *bench) (result, error) {
		topic := b.broker.topic()
		argv := append(b.tool(name, "sub"), "-t", topic, "-q", strconv.Itoa(qos), "-C", strconv.Itoa(lineCount+1))
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Stderr = os.Stderr
		var got countingWriter
		cmd.Stdout = &got
		if err := cmd.Start(); err != nil {
			return result{}, err
		}
		peak := watchMemory(cmd.Process.Pid)
		if err := b.awaitSubscriber(topic, &got); err != nil {
			return result{}, err
		}
		start := time.Now()
		if err := b.flood(topic, qos); err != nil {
			return result{}, err
		}
		err := cmd.Wait()
		r := usage(cmd, time.Since(start))
		r.memory = peak()
		r.delivered, r.wanted = got.n.Load()-1, lineCount
		return r, err
	}
}

// countingWriter counts lines.
type countingWriter struct{ n atomic.Int64 }

func (c *countingWriter) Write(p []byte) (int, error) {
	c.n.Add(int64(bytes.Count(p, []byte("\n"))))
	return len(p), nil
}

// awaitSubscriber publishes now and then until the subscriber prints something: its first message.
func (b *bench) awaitSubscriber(topic string, got *countingWriter) error {
	for range 50 {
		if _, err := measured(nil, "mosquitto_pub", "-p", b.broker.port, "-t", topic, "-m", "ready"); err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond) // long enough that one message is enough; not part of the figures
		if got.n.Load() > 0 {
			return nil
		}
	}
	return errors.New("the subscriber gets nothing")
}

// flood publishes lineCount messages of 64 bytes over one connection, with a window of 20 above QoS 0.
func (b *bench) flood(topic string, qos int) error {
	conn, err := net.Dial("tcp", "127.0.0.1:"+b.broker.port)
	if err != nil {
		return err
	}
	defer conn.Close()
	connect := packet.Connect{CleanStart: true, ClientID: "compare-flood"}
	buf, err := connect.Append(nil, packet.V311)
	if err != nil {
		return err
	}
	if _, err := conn.Write(buf); err != nil {
		return err
	}
	return publishAll(conn, topic, qos)
}

// single measures a whole process that publishes one message, as the mean of twenty.
func single(name string) func(*bench) (result, error) {
	return func(b *bench) (result, error) {
		const n = 20
		var sum result
		argv := append(b.tool(name, "pub"), "-t", b.broker.topic(), "-q", "1", "-m", "21.5")
		for range n {
			r, err := measured(nil, argv[0], argv[1:]...)
			if err != nil {
				return r, err
			}
			sum.wall += r.wall / n
			sum.cpu += r.cpu / n
			sum.memory = max(sum.memory, r.memory)
		}
		sum.delivered = -1
		return sum, nil
	}
}

// publishAll sends the flood and reads the acknowledgements.
func publishAll(conn net.Conn, topic string, qos int) error {
	var f packet.Framer
	payload := []byte(strings.Repeat("x", 64))
	next, inFlight, done := 0, 0, 0
	var buf []byte
	for done < lineCount {
		for next < lineCount && (qos == 0 || inFlight < 20) && len(buf) < 64<<10 {
			next++
			p := packet.Publish{Topic: []byte(topic), Payload: payload, QoS: packet.QoS(qos)}
			if qos > 0 {
				p.PacketID = uint16(next%65535) + 1
				inFlight++
			} else {
				done++
			}
			var err error
			if buf, err = p.Append(buf, packet.V311); err != nil {
				return err
			}
		}
		if _, err := conn.Write(buf); err != nil {
			return err
		}
		buf = buf[:0]
		if qos == 0 {
			continue
		}
		var err error
		if buf, err = acknowledgements(conn, &f, buf, &inFlight, &done); err != nil {
			return err
		}
	}
	if _, err := conn.Write([]byte{0xe0, 0}); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, conn) // closing with unread bytes would throw away what the broker has not read
	return err
}

// acknowledgements reads once, counts the handshakes that are over, and appends the PUBREL that are due.
func acknowledgements(conn io.Reader, f *packet.Framer, buf []byte, inFlight, done *int) ([]byte, error) {
	if _, err := f.Fill(conn); err != nil {
		return buf, err
	}
	for {
		b, err := f.Next()
		if err != nil {
			return buf, nil
		}
		switch packet.Type(b[0] >> 4) {
		case packet.PUBACK, packet.PUBCOMP:
			*inFlight--
			*done++
		case packet.PUBREC:
			buf = append(buf, 0x62, 2, b[2], b[3])
		}
	}
}
