package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"mq/packet"
)

// limit bounds every single run.
const limit = 2 * time.Minute

// result is what one run of one tool needed.
type result struct {
	wall, cpu time.Duration
	memory    int64 // peak resident set, KB
	delivered int64 // -1: not counted
	wanted    int64
}

func (r result) deliveredText() string {
	if r.delivered < 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", r.delivered, r.wanted)
}

// median takes each figure's median; of delivered the worst, because one loss is a loss.
func median(rs []result) result {
	mid := func(f func(result) int64) int64 {
		var v []int64
		for _, r := range rs {
			v = append(v, f(r))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	worst := rs[0]
	for _, r := range rs {
		worst.delivered = min(worst.delivered, r.delivered)
	}
	worst.wall = time.Duration(mid(func(r result) int64 { return int64(r.wall) }))
	worst.cpu = time.Duration(mid(func(r result) int64 { return int64(r.cpu) }))
	worst.memory = mid(func(r result) int64 { return r.memory })
	return worst
}

// measured runs a command to its end and returns what it needed.
func measured(stdin io.Reader, name string, args ...string) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stderr = stdin, os.Stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	peak := watchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	r := usage(cmd, time.Since(start))
	r.memory = peak()
	return r, err
}

// watchMemory reads the peak resident set of a process now and then; the answer stops it and returns the peak in KB. The
// kernel's own figure for a child that has ended is of no use: it begins with the memory of the parent.
func watchMemory(pid int) (peak func() int64) {
	stop, done := make(chan struct{}), make(chan int64)
	go func() {
		var kb int64
		for {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			for line := range strings.Lines(string(status)) {
				if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
					n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
					kb = max(kb, n)
				}
			}
			select {
			case <-stop:
				done <- kb
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() int64 { close(stop); return <-done }
}

func usage(cmd *exec.Cmd, wall time.Duration) result {
	r := result{wall: wall, delivered: -1}
	if s := cmd.ProcessState; s != nil {
		r.cpu = s.UserTime() + s.SystemTime()
	}
	return r
}

// mosquitto is a broker of our own on a free port, without limits that drop messages.
type mosquitto struct {
	cmd  *exec.Cmd
	port string
	n    atomic.Int64 // makes topics unique
}

func startMosquitto(dir string) (*mosquitto, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "mosquitto.conf")
	text := "listener " + port + " 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\npersistence false\nlog_type error\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	path, err := findTool("mosquitto")
	if err != nil {
		return nil, err
	}
	m := &mosquitto{cmd: exec.Command(path, "-c", conf), port: port}
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			return m, c.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, errors.Join(errors.New("mosquitto does not listen"), m.cmd.Process.Kill())
}

// findTool also looks where Debian puts servers.
func findTool(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

func (m *mosquitto) stop() {
	_ = m.cmd.Process.Signal(syscall.SIGTERM)
	_ = m.cmd.Wait()
}

func (m *mosquitto) topic() string { return "compare/" + strconv.FormatInt(m.n.Add(1), 10) }

// counter is a subscriber of QoS 0 that counts what the broker delivers.
type counter struct {
	conn  net.Conn
	count atomic.Int64
	more  chan struct{} // a message has come
}

func (m *mosquitto) count(topic string) (*counter, error) {
	conn, err := net.Dial("tcp", "127.0.0.1:"+m.port)
	if err != nil {
		return nil, err
	}
	c := &counter{conn: conn, more: make(chan struct{}, 1)}
	connect := packet.Connect{CleanStart: true, ClientID: "compare-" + topic[len("compare/"):]}
	b, err := connect.Append(nil, packet.V311)
	if err != nil {
		return nil, err
	}
	subscribe := packet.Subscribe{PacketID: 1, Subscriptions: []packet.Subscription{{Filter: topic}}}
	if b, err = subscribe.Append(b, packet.V311); err != nil {
		return nil, err
	}
	if _, err := conn.Write(b); err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	go c.read(ready)
	select {
	case <-ready:
		return c, nil
	case <-time.After(5 * time.Second):
		return nil, errors.New("no SUBACK")
	}
}

func (c *counter) read(ready chan struct{}) {
	var f packet.Framer
	for {
		if _, err := f.Fill(c.conn); err != nil {
			return
		}
		for {
			b, err := f.Next()
			if err != nil {
				break
			}
			switch packet.Type(b[0] >> 4) {
			case packet.SUBACK:
				close(ready)
			case packet.PUBLISH:
				c.count.Add(1)
			}
		}
		select {
		case c.more <- struct{}{}:
		default:
		}
	}
}

// settle returns the count once it has reached n, or nothing more has come for a second.
func (c *counter) settle(n int64) int64 {
	defer c.conn.Close()
	for c.count.Load() < n {
		select {
		case <-c.more:
		case <-time.After(time.Second):
			return c.count.Load()
		}
	}
	return c.count.Load()
}
