package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"mq/packet"
)

const captureMessages = 1_000_000

// inspectRow compares reading a capture file. Both tools show topic and payload of every message; output is thrown away.
func inspectRow() row {
	return row{"inspect read, 1M messages", captureMessages, 3, []contender{
		{"tshark", func(b *bench) (result, error) {
			file, err := b.capture()
			if err != nil {
				return result{}, err
			}
			return measured(nil, "tshark", "-r", file, "-T", "fields", "-e", "mqtt.topic", "-e", "mqtt.msg")
		}},
		{"mq inspect", func(b *bench) (result, error) {
			file, err := b.capture()
			if err != nil {
				return result{}, err
			}
			return measured(nil, b.mq, "inspect", "read", "--no-summary", file)
		}},
	}}
}

// capture writes, once, a pcap file of one connection with captureMessages messages of QoS 0, full segments.
func (b *bench) capture() (string, error) {
	name := filepath.Join(b.dir, "capture.pcap")
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	w := &pcapWriter{w: bufio.NewWriterSize(f, 1<<20)}
	err = w.conversation(captureMessages)
	return name, errors.Join(err, w.w.Flush(), f.Close())
}

// pcapWriter writes segments of one TCP connection between two loopback addresses.
type pcapWriter struct {
	w      *bufio.Writer
	frames int
	seq    [2]uint32
}

func (p *pcapWriter) conversation(n int) error {
	head := make([]byte, 24)
	binary.LittleEndian.PutUint32(head, 0xa1b2c3d4)
	binary.LittleEndian.PutUint16(head[4:], 2)
	binary.LittleEndian.PutUint16(head[6:], 4)
	binary.LittleEndian.PutUint32(head[16:], 65535)
	binary.LittleEndian.PutUint32(head[20:], 1) // Ethernet
	if _, err := p.w.Write(head); err != nil {
		return err
	}
	connect := packet.Connect{CleanStart: true, ClientID: "sensor", KeepAlive: 60}
	c, err := connect.Append(nil, packet.V311)
	if err != nil {
		return err
	}
	const syn, ack = 0x02, 0x10
	p.segment(0, syn, nil)
	p.segment(1, syn|ack, nil)
	p.segment(0, ack, c)
	p.segment(1, ack, []byte{0x20, 2, 0, 0})
	var b []byte
	for i := range n {
		m := packet.Publish{Topic: []byte("home/heater"), Payload: fmt.Appendf(nil, "%06d", i)}
		if b, err = m.Append(b, packet.V311); err != nil {
			return err
		}
		if len(b) > 1380 || i == n-1 {
			p.segment(0, ack, b)
			b = b[:0]
		}
	}
	return nil
}

// segment writes one frame from side 0 (the client) or 1. The buffered writer keeps its first error for Flush.
func (p *pcapWriter) segment(side int, flags byte, data []byte) {
	ports := [2]uint16{50000, 1883}
	f := make([]byte, 16+14+20+20, 16+14+20+20+len(data))
	length := 14 + 20 + 20 + len(data)
	binary.LittleEndian.PutUint32(f, uint32(1_700_000_000+p.frames/1000))
	binary.LittleEndian.PutUint32(f[4:], uint32(p.frames%1000*1000))
	binary.LittleEndian.PutUint32(f[8:], uint32(length))
	binary.LittleEndian.PutUint32(f[12:], uint32(length))
	eth := f[16:]
	eth[12], eth[13] = 8, 0
	ip := eth[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(ip[2:], uint16(40+len(data)))
	copy(ip[12:], []byte{127, 0, 0, 1 + byte(side), 127, 0, 0, 2 - byte(side)})
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp, ports[side])
	binary.BigEndian.PutUint16(tcp[2:], ports[1-side])
	binary.BigEndian.PutUint32(tcp[4:], p.seq[side])
	binary.BigEndian.PutUint32(tcp[8:], p.seq[1-side])
	tcp[12], tcp[13] = 5<<4, flags
	binary.BigEndian.PutUint16(tcp[14:], 65535)
	p.seq[side] += uint32(len(data))
	if flags&2 != 0 {
		p.seq[side]++
	}
	p.frames++
	_, _ = p.w.Write(append(f, data...))
}
