package connect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"mq/tlsconf"
)

// notMQTT says what the server speaks, from the first bytes it sent instead of a CONNACK.
func (c *pahoConn) notMQTT() error {
	time.AfterFunc(100*time.Millisecond, func() { c.transport.close() }) // what comes at once is enough to tell
	b, _ := c.r.Peek(64)
	return notMQTT(&c.s.opts, b)
}

func notMQTT(o *Options, b []byte) error {
	e := &ConnectError{Stage: StageConnack, Addr: o.Addr(), permanent: true}
	switch {
	case bytes.HasPrefix(b, []byte("HTTP/")):
		e.Reason = "the server answered in HTTP, not in MQTT"
		e.hints = []string{"for MQTT over WebSocket use --url ws://HOST:PORT/mqtt; plain MQTT is usually on port 1883"}
	case len(b) >= 3 && (b[0] == 0x15 || b[0] == 0x16) && b[1] == 3:
		e.Reason = "the server answered in TLS, not in plain MQTT"
		e.hints = []string{"turn TLS on: --tls-use-os-certs, --cafile FILE, or --url mqtts://HOST:PORT"}
	case bytes.HasPrefix(b, []byte("SSH-")):
		e.Reason = "the server answered as an SSH server, not in MQTT"
		e.hints = []string{"check --port; MQTT is usually on 1883, with TLS on 8883"}
	default:
		e.Reason = fmt.Sprintf("the server does not speak MQTT, it answered %q", b[:min(len(b), 24)])
		e.hints = []string{"check --host and --port; MQTT is usually on 1883, with TLS on 8883"}
	}
	return e
}

// connackError explains why no CONNACK came on a transport that stood.
func connackError(o *Options, err error) error {
	e := &ConnectError{Stage: StageConnack, Addr: o.Addr(), Err: err}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isReset(err) {
		e.Reason = "the server closed the connection without a CONNACK"
		e.hints = []string{fmt.Sprintf("it may not speak MQTT %s, or not like the client identifier or the user", o.Version)}
		if !o.Network.Secure() && o.Network != Unix {
			e.hints = append(e.hints, "a port for TLS needs mqtts://, --cafile or --tls-use-os-certs")
		}
		return e
	}
	if tlsconf.IsAlert(err) { // with TLS 1.3 the server's opinion of our certificate comes with the first read
		if reason, hints, ok := o.TLS.Explain(err, o.Host); ok {
			e.Stage, e.Reason, e.hints, e.permanent = StageTLS, reason, hints, true
			return e
		}
	}
	e.Reason = plainReason(err)
	return e
}

// isReset reports whether the other side has closed the connection while bytes of ours were on their way. Windows has its
// own numbers for that, which syscall.ECONNRESET does not equal there: WSAECONNABORTED and WSAECONNRESET.
func isReset(err error) bool {
	var no syscall.Errno
	return errors.As(err, &no) && (no == syscall.ECONNRESET || no == syscall.EPIPE || no == 10053 || no == 10054)
}
