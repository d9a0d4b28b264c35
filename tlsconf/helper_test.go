package tlsconf

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mq/tlsconf/zoo"
)

var testZoo *zoo.Zoo

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "mq-zoo")
		if err == nil {
			defer os.RemoveAll(dir)
			testZoo, err = zoo.Write(dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// zf is the full name of a file in the zoo; "" stays "".
func zf(name string) string {
	if name == "" {
		return ""
	}
	return testZoo.Path(name)
}

// unzoo takes the zoo's directory, and others, out of a message.
func unzoo(s string, dirs ...string) string {
	for _, d := range append(dirs, testZoo.Dir) {
		d += string(filepath.Separator)
		s = strings.ReplaceAll(s, d, "")
		s = strings.ReplaceAll(s, strings.Trim(strconv.Quote(d), `"`), "") // Windows
	}
	return s
}

// write puts data into a new file of this test.
func write(t *testing.T, name, data string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// patience bounds a test that would otherwise hang; nothing waits for it when all is well.
const patience = 10 * time.Second

// listen serves one connection on a free port and returns its address.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		serve(c)
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// greet is a TLS server that says one byte. It leaves politely whatever happens: closing a socket with unread bytes
// would reset it and could destroy the alert on its way.
func greet(cfg *tls.Config) func(net.Conn) {
	return func(c net.Conn) {
		if s := tls.Server(c, cfg); s.Handshake() == nil {
			s.Write([]byte("k"))
		}
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	}
}

// rawReply waits for the ClientHello, answers with bytes and leaves politely.
func rawReply(answer string) func(net.Conn) {
	return func(c net.Conn) {
		readRecord(c)
		io.WriteString(c, answer)
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	}
}

func readRecord(c net.Conn) {
	var h [5]byte
	if _, err := io.ReadFull(c, h[:]); err == nil {
		io.CopyN(io.Discard, c, int64(h[3])<<8|int64(h[4]))
	}
}

// shake connects, shakes hands and reads the server's first byte, which is where alerts of TLS 1.3 turn up.
func shake(t *testing.T, addr string, cfg *tls.Config) error {
	t.Helper()
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(patience))
	c := tls.Client(raw, cfg)
	if err := c.HandshakeContext(context.Background()); err != nil {
		return fmt.Errorf("handshake: %w", err) // callers wrap
	}
	_, err = io.ReadFull(c, make([]byte, 1))
	return err
}

// config is o.Config, which must succeed.
func config(t *testing.T, o Options, host string) *tls.Config {
	t.Helper()
	cfg, err := o.Config(host)
	if err != nil {
		t.Fatalf("Config: %v", err)
	}
	return cfg
}

// failure is an *Error as a user sees it.
type failure struct {
	Message string
	Hints   []string
}

// failed checks that err is an *Error, as every failure here must be, and returns it with the zoo's directory and
// other directories of the test taken out.
func failed(t *testing.T, err error, dirs ...string) failure {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %#v, want an *Error", err)
	}
	f := failure{Message: unzoo(err.Error(), dirs...)}
	for _, h := range e.Hints() {
		f.Hints = append(f.Hints, unzoo(h, dirs...))
	}
	return f
}
