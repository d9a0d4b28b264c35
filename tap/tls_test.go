package tap

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"mq/packet"
)

// wiretap keeps what is written to both ends of a pipe, in order.
type wiretap struct {
	mu     sync.Mutex
	writes []tcp
}

type tapped struct {
	net.Conn
	w      *wiretap
	server bool
}

func (c tapped) Write(b []byte) (int, error) {
	c.w.mu.Lock()
	c.w.writes = append(c.w.writes, tcp{server: c.server, payload: string(b)})
	c.w.mu.Unlock()
	return c.Conn.Write(b)
}

// segments returns the writes as a TCP connection to port, cut into segments of at most size bytes.
func (w *wiretap) segments(port uint16, size int) []tcp {
	all := []tcp{{seq: 99, flags: tcpSYN}, {server: true, seq: 999, ack: 100, flags: synAck}}
	next := [2]uint32{100, 1000}
	for _, s := range w.writes {
		i := 0
		if s.server {
			i = 1
		}
		for part := range slices.Chunk([]byte(s.payload), size) {
			all = append(all, tcp{server: s.server, seq: next[i], flags: tcpACK, payload: string(part)})
			next[i] += uint32(len(part))
		}
	}
	for i := range all {
		all[i].port = port
	}
	return all
}

// tcpPair returns the ends of a connection; those of net.Pipe would block on the session tickets nobody reads.
func tcpPair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l := listen(t)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// tlsTalk does a TLS handshake and has client say pings packets, each answered. It returns what went over the wire.
func tlsTalk(t *testing.T, cc *tls.Config, pings int) *wiretap {
	t.Helper()
	serverTLS, _ := testTLS(t)
	serverTLS.MinVersion = tls.VersionTLS12
	serverTLS.CipherSuites = cc.CipherSuites
	w := &wiretap{}
	a, b := tcpPair(t)
	client, server := tls.Client(tapped{a, w, false}, cc), tls.Server(tapped{b, w, true}, serverTLS)
	done := make(chan error, 1)
	hello := wire(t, packet.V311, &packet.Connect{CleanStart: true, ClientID: "c"})
	go func() {
		buf := make([]byte, len(hello))
		_, err := io.ReadFull(server, buf)
		for i := 0; i < pings && err == nil; i++ {
			if _, err = io.ReadFull(server, buf[:2]); err == nil {
				_, err = io.WriteString(server, "\xd0\x00")
			}
		}
		done <- err
	}()
	if _, err := io.WriteString(client, hello); err != nil {
		t.Fatal(err)
	}
	for range pings {
		if _, err := io.WriteString(client, "\xc0\x00"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	a.Close()
	b.Close()
	return w
}

func TestTLSSuites(t *testing.T) {
	for _, tt := range []struct {
		name    string
		version uint16
		suite   uint16
	}{
		{"1.3", tls.VersionTLS13, 0},
		{"1.2 AES-128-GCM", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		{"1.2 AES-256-GCM", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384},
		{"1.2 ChaCha20", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256},
		{"1.2 AES-128-CBC", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA},
		{"1.2 AES-256-CBC", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA},
		{"1.2 AES-128-CBC-SHA256", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			c := &tls.Config{InsecureSkipVerify: true, KeyLogWriter: &log, MinVersion: tls.VersionTLS12, MaxVersion: tt.version}
			if tt.suite != 0 {
				c.CipherSuites = []uint16{tt.suite}
			}
			w := tlsTalk(t, c, 3)
			for _, size := range []int{1, 100, 100_000} {
				k, err := ReadKeyLog(bytes.NewReader(log.Bytes()))
				if err != nil {
					t.Fatal(err)
				}
				r := readSegments(t, ReadOptions{KeyLog: k}, w.segments(4433, size)...)
				if len(r.packets) != 7 || len(r.trouble()) != 0 || r.conns[0].Layer != LayerTLS {
					t.Errorf("segments of %d: %q", size, r.log)
				}
			}
		})
	}
}

func TestTLSWithoutKeys(t *testing.T) {
	var log bytes.Buffer
	c := &tls.Config{InsecureSkipVerify: true, KeyLogWriter: &log}
	w := tlsTalk(t, c, 3)
	other, _ := ReadKeyLog(strings.NewReader("CLIENT_RANDOM " + strings.Repeat("00", 32) + " " + strings.Repeat("11", 48)))
	alpn := tlsTalk(t, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"mqtt"}}, 1)
	for _, tt := range []struct {
		name     string
		keys     *KeyLog
		segments []tcp
		noted    bool
	}{
		{"none, MQTT port", nil, w.segments(8883, 1000), true},
		{"none, other port", nil, w.segments(443, 1000), false},
		{"those of another connection, MQTT port", other, w.segments(8883, 1000), true},
		{"those of another connection, other port", other, w.segments(443, 1000), false},
		{"none, other port, but the client asks for MQTT", nil, alpn.segments(443, 1000), true},
		{"mid-stream", nil, w.segments(8883, 1000)[6:], true},
		{"none, server only", nil, serverOnly(w.segments(8883, 1000)), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := readSegments(t, ReadOptions{KeyLog: tt.keys}, tt.segments...)
			l := r.trouble()
			if !tt.noted && len(r.log) > 0 || tt.noted && (len(l) != 1 || !strings.Contains(l[0], "encrypted") || len(r.log) != 3) {
				t.Errorf("%q", r.log)
			}
		})
	}
}

func serverOnly(all []tcp) (l []tcp) {
	for _, s := range all {
		if s.server {
			l = append(l, s)
		}
	}
	return l
}

func TestTLSResumed(t *testing.T) {
	var log bytes.Buffer
	serverTLS, c := testTLS(t)
	for _, version := range []uint16{tls.VersionTLS13} { // crypto/tls does not log the secret of a resumed 1.2 session
		c.KeyLogWriter, c.ClientSessionCache, c.ServerName = &log, tls.NewLRUClientSessionCache(1), "test"
		c.MaxVersion, c.MinVersion = version, tls.VersionTLS12
		for resumed := range 2 {
			w := &wiretap{}
			a, b := tcpPair(t)
			client, server := tls.Client(tapped{a, w, false}, c), tls.Server(tapped{b, w, true}, serverTLS)
			hello := wire(t, packet.V311, &packet.Connect{CleanStart: true, ClientID: "c"})
			go func() {
				_, _ = io.ReadFull(server, make([]byte, len(hello)))
				_, _ = io.WriteString(server, "\x20\x02\x00\x00")
			}()
			_, _ = io.WriteString(client, hello)
			_, _ = io.ReadFull(client, make([]byte, 4))
			if client.ConnectionState().DidResume != (resumed == 1) {
				t.Errorf("resumed: %v", client.ConnectionState().DidResume)
			}
			k, _ := ReadKeyLog(bytes.NewReader(log.Bytes()))
			r := readSegments(t, ReadOptions{KeyLog: k}, w.segments(8883, 1000)...)
			if len(r.packets) != 2 || len(r.trouble()) != 0 {
				t.Errorf("%q", r.log)
			}
		}
	}
}

// TestTLSLoss loses a segment with records: what follows is decrypted all the same.
func TestTLSLoss(t *testing.T) {
	var log bytes.Buffer
	w := tlsTalk(t, &tls.Config{InsecureSkipVerify: true, KeyLogWriter: &log}, 20)
	k, _ := ReadKeyLog(bytes.NewReader(log.Bytes()))
	segments := w.segments(8883, 100_000)
	lost := len(segments) - 20 // one of the client's pings, or the server's answers
	r := readSegments(t, ReadOptions{KeyLog: k}, slices.Delete(slices.Clone(segments), lost, lost+1)...)
	if len(r.packets) != 40 || !strings.Contains(strings.Join(r.trouble(), "\n"), "gap") {
		t.Errorf("%d packets, %q", len(r.packets), r.trouble())
	}
}

// TestTLSKeyUpdate makes records by hand: crypto/tls never begins an update.
func TestTLSKeyUpdate(t *testing.T) {
	s := findSuite(0x1301)
	secret := bytes.Repeat([]byte{7}, 32)
	e := s.keys13(secret)
	seal := func(e *epoch, seq uint64, kind byte, text string) []byte {
		r := []byte{recordData, 3, 3}
		r = binary.BigEndian.AppendUint16(r, uint16(len(text)+1+4+16)) // with padding
		return e.aead.Seal(r, e.nonce(seq), append([]byte(text), kind, 0, 0, 0, 0), r)
	}
	next := e.next()
	records := [][]byte{seal(e, 0, recordData, "\xc0\x00"), seal(e, 1, recordHandshake, "\x18\x00\x00\x01\x00"),
		seal(next, 0, recordData, "\xc0\x00"), seal(next, 1, recordData, "\xc0\x00"), seal(next.next(), 0, recordData, "\xe0\x00")}
	r := newRecord(t)
	l := &link{scope: &scope{sink: r, limits: Limits{}.withDefaults(), keys: &KeyLog{}}, ours: true}
	var slot stage
	st := newTLSStage(l, &slot, func() { t.Error("rejected") })
	slot = st
	st.version, st.suite = versionTLS13, s
	st.dir[0].greeted, st.dir[0].epochs = true, []*epoch{e, next}
	st.inner = newMQTTStage(l)
	l.open(LayerTLS)
	for _, b := range records {
		st.data(packet.ClientToServer, b, true)
	}
	want := []string{"#1 open tls", "#1 c2s PINGREQ @0+2", "#1 c2s PINGREQ @2+2", "#1 c2s PINGREQ @4+2", "#1 c2s DISCONNECT @6+2"}
	if !slices.Equal(r.log, want) {
		t.Errorf("%q", r.log)
	}
	if l.held != 0 {
		t.Errorf("%d bytes held", l.held)
	}
}

func TestReadKeyLog(t *testing.T) {
	if _, err := ReadKeyLog(strings.NewReader("nonsense\n")); err == nil {
		t.Error("nonsense was accepted")
	}
	line := "CLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 48)
	k, err := ReadKeyLog(strings.NewReader("# comment\r\n\n" + line + "\r\n" + line[:40] + "\n"))
	if err != nil || len(k.secrets) != 1 || k.empty() {
		t.Errorf("%v, %v", k, err)
	}
	if _, err := OpenKeyLog("no such file"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v", err)
	}
}
