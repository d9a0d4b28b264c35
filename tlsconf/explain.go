package tlsconf

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Hints that several explanations end with.
const (
	hintInsecure   = "or skip verification, for a test only: " + flagInsecure
	hintTLSPort    = "connect to the TLS port, usually 8883: -p 8883"
	hintNoTLS      = "or connect without TLS: drop " + flagCAFile + ", " + flagCAPath + ", " + flagCert + " and " + flagOSCerts + ", and use mqtt:// in place of mqtts://"
	hintClientCert = "pass a client certificate: " + flagCert + " FILE " + flagKey + " FILE"
)

// Explain says in plain words why a TLS handshake with host failed: a lowercase phrase for the error line, and what to
// type next. It is for errors of the handshake itself, where even an end of file has a meaning; ok is false when err
// has nothing to do with TLS, such as a failed dial or a cancelled context. Errors of later reads should pass IsAlert
// first.
func Explain(err error, host string) (reason string, hints []string, ok bool) {
	return explainer{host: host}.explain(err)
}

// Explain is the function Explain for a connection made with these options, which make some answers definite: an
// alert about client certificates means one thing when a certificate was sent and another when none was.
func (o Options) Explain(err error, host string) (reason string, hints []string, ok bool) {
	return explainer{host: host, opts: &o}.explain(err)
}

// IsAlert reports whether err is a TLS alert sent by the other side. With TLS 1.3 a server judges the client's
// certificate after the client has finished its handshake, so its alert arrives with the first read.
func IsAlert(err error) bool {
	_, remote, ok := alertOf(err)
	return ok && remote
}

// explainer is what is known about a connection besides its error.
type explainer struct {
	host string
	opts *Options // nil if unknown
}

func (e explainer) explain(err error) (reason string, hints []string, ok bool) {
	var op *net.OpError
	if err == nil || errors.Is(err, context.Canceled) || errors.As(err, &op) && op.Op == "dial" {
		return "", nil, false
	}
	for _, f := range []func(error) (string, []string, bool){
		e.certificate, e.alert, e.notTLS, e.cutOff, e.plainText,
	} {
		if reason, hints, ok = f(err); ok {
			return reason, hints, true
		}
	}
	return "", nil, false
}

// cutOff explains connections that ended, or fell silent, without an alert. A plain MQTT broker does just that: to it
// a ClientHello is a CONNECT with impossible flags.
func (e explainer) cutOff(err error) (string, []string, bool) {
	reason := "the server closed the connection during the TLS handshake"
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
	case isReset(err):
		reason = "the server reset the connection during the TLS handshake"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "the server did not answer the TLS handshake in time", []string{hintTLSPort, hintNoTLS}, true
	default:
		return "", nil, false
	}
	hints := []string{"if the port is plain MQTT, " + hintTLSPort, hintNoTLS}
	if e.opts == nil || e.opts.CertFile == "" {
		hints = append(hints, "if the server wants a client certificate, pass one: "+flagCert+" FILE "+flagKey+" FILE")
	}
	return reason, hints, true
}

// Windows has its own numbers for a connection aborted or reset, which syscall.ECONNRESET does not equal there.
const (
	wsaECONNABORTED = syscall.Errno(10053)
	wsaECONNRESET   = syscall.Errno(10054)
)

func isReset(err error) bool {
	for _, no := range []syscall.Errno{syscall.ECONNRESET, syscall.EPIPE, wsaECONNABORTED, wsaECONNRESET} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}
