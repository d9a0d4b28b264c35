package tap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// liveBuffer is the kernel's buffer for frames that have not been read, in bytes; without privileges it gives less.
const liveBuffer = 16 << 20

// Live watches a network interface until ctx ends, which is no error. It needs the privilege to open a packet socket.
// The error is an *Error.
func Live(ctx context.Context, o LiveOptions, sink Sink) error {
	fd, err := openSocket(&o)
	if err != nil {
		return err
	}
	// A file that does not block is read through the runtime's poller, which a deadline wakes.
	f := os.NewFile(uintptr(fd), "packet socket")
	defer f.Close()
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := f.SyscallConn()
	if err != nil {
		return &Error{What: "packet socket", Err: err}
	}
	o.Read.Ports = append(append([]uint16(nil), o.Read.Ports...), o.Ports...)
	c := newCapture(sink, &o.Read)
	if o.Ready != nil {
		o.Ready()
	}
	l := &liveReader{raw: raw, buf: make([]byte, liveSnap), control: make([]byte, 128)}
	err = l.run(ctx, c)
	c.a.at = time.Now()
	if n := l.lost(); n > 0 {
		c.note(fmt.Sprintf("the kernel dropped %d frames because they were not read fast enough", n))
	}
	c.a.finish()
	return err
}

// openSocket opens a packet socket that gives packets from the IP header on.
func openSocket(o *LiveOptions) (int, error) {
	index, name := 0, "any"
	if o.Interface != "" && o.Interface != "any" {
		i, err := net.InterfaceByName(o.Interface)
		if err != nil {
			return 0, &Error{What: fmt.Sprintf("no network interface %q", o.Interface), hints: []string{"`ip link` lists them; \"any\" watches all"}}
		}
		index, name = i.Index, i.Name
	}
	code, err := portFilter(o.Ports)
	if err != nil {
		return 0, err
	}
	// Protocol 0 receives nothing until bind: no frame gets past the filter before it is in place.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		if err = setUpSocket(fd, index, code); err == nil {
			return fd, nil
		}
		unix.Close(fd)
	}
	e := &Error{What: fmt.Sprintf("interface %q cannot be watched", name), Err: err}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		e.hints = []string{"it needs privileges: run it with sudo, or once `sudo setcap cap_net_raw+ep $(command -v mq)`"}
	}
	return 0, e
}

func setUpSocket(fd, index int, code []bpf.RawInstruction) error {
	prog := make([]unix.SockFilter, len(code))
	for i, c := range code {
		prog[i] = unix.SockFilter{Code: c.Op, Jt: c.Jt, Jf: c.Jf, K: c.K}
	}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}); err != nil {
		return err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, liveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, liveBuffer)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: index})
}

// networkOrder returns v as it lies in memory in network byte order.
func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// liveReader reads frames from a packet socket.
type liveReader struct {
	raw interface {
		Read(func(fd uintptr) bool) error
		Control(func(fd uintptr)) error
	}
	buf, control []byte
	n, oob       int
	from         unix.Sockaddr
	err          error
}

// run takes frames until ctx ends.
func (l *liveReader) run(ctx context.Context, c *capture) error {
	var s segment
	for {
		if err := l.read(); err != nil {
			switch {
			case ctx.Err() != nil:
				return nil
			case errors.Is(err, unix.ENETDOWN):
				return &Error{What: "the interface went down", Err: err}
			}
			return &Error{What: "packet socket", Err: err}
		}
		// The loopback shows every packet twice, going out and coming in.
		if a, ok := l.from.(*unix.SockaddrLinklayer); ok && a.Hatype == unix.ARPHRD_LOOPBACK && a.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		f := frame{at: l.time(), linkType: linkRaw, data: l.buf[:l.n], size: l.n}
		c.take(&f, &s)
	}
}

// read reads one frame.
func (l *liveReader) read() error {
	err := l.raw.Read(func(fd uintptr) bool {
		for {
			l.n, l.oob, _, l.from, l.err = unix.Recvmsg(int(fd), l.buf, l.control, 0)
			if l.err != unix.EINTR {
				return l.err != unix.EAGAIN
			}
		}
	})
	if err != nil {
		return err
	}
	return l.err
}

// time returns when the kernel saw the frame.
func (l *liveReader) time() time.Time {
	messages, err := unix.ParseSocketControlMessage(l.control[:l.oob])
	if err != nil {
		return time.Now()
	}
	for _, m := range messages {
		if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SO_TIMESTAMPNS {
			continue
		}
		o := binary.NativeEndian
		switch len(m.Data) { // seconds and nanoseconds, each a word
		case 16:
			return time.Unix(int64(o.Uint64(m.Data)), int64(o.Uint64(m.Data[8:])))
		case 8:
			return time.Unix(int64(o.Uint32(m.Data)), int64(o.Uint32(m.Data[4:])))
		}
	}
	return time.Now()
}

// lost returns how many frames the kernel had to drop.
func (l *liveReader) lost() (n uint32) {
	_ = l.raw.Control(func(fd uintptr) {
		if s, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			n = s.Drops
		}
	})
	return n
}
