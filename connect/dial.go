package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Dial opens the transport of o: TCP, TLS, WebSocket or Unix socket, through a proxy if one is set. What it returns
// carries MQTT bytes and nothing else. The error is a *ConnectError, an *OptionError, one of tlsconf's, or ctx's.
func Dial(ctx context.Context, o Options) (net.Conn, error) {
	o = o.withDefaults()
	if o.Network == Unix {
		return dialUnix(ctx, &o)
	}
	if err := o.prepareTLS(); err != nil {
		return nil, err
	}
	if o.SRV {
		if err := lookupSRV(ctx, &o); err != nil {
			return nil, err
		}
	}
	if o.Network == WS || o.Network == WSS {
		return dialWebSocket(ctx, &o)
	}
	return dialStream(ctx, &o)
}

// dialStream opens the TCP connection, and TLS on it where o wants it.
func dialStream(ctx context.Context, o *Options) (net.Conn, error) {
	proxy, err := o.proxy()
	if err != nil {
		return nil, err
	}
	var conn net.Conn
	if proxy != nil {
		conn, err = dialProxy(ctx, o, proxy)
	} else {
		conn, err = dialTCP(ctx, o, o.Host, o.Port)
	}
	if err != nil {
		return nil, err
	}
	if !o.Network.Secure() {
		return conn, nil
	}
	tc, err := handshake(ctx, conn, o.tlsConfig)
	if err != nil {
		return nil, tlsError(ctx, o, err)
	}
	return tc, nil
}

// handshake starts TLS on conn and closes it when that fails.
func handshake(ctx context.Context, conn net.Conn, c *tls.Config) (net.Conn, error) {
	tc := tls.Client(conn, c)
	if err := tc.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return tc, nil
}

func tlsError(ctx context.Context, o *Options, err error) error {
	if expired(ctx, err) {
		return contextError(ctx, o, StageTLS, "the server did not finish the TLS handshake")
	}
	reason, hints, ok := o.TLS.Explain(err, o.Host)
	if !ok {
		reason = err.Error()
	}
	return &ConnectError{Stage: StageTLS, Addr: o.Addr(), Reason: reason, Err: err, hints: hints, permanent: !isNetError(err) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)}
}

// isNetError reports whether err comes from the network and not from what was said over it.
func isNetError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op != "remote error" // crypto/tls reports alerts as OpError "remote error"
}

// expired reports whether err came about because ctx has ended, or is about to: a deadline of ctx that was set on a socket
// can be reported before ctx itself ends.
func expired(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// contextError tells the connect timeout, which is a failure of the server, from an interruption, which is not.
func contextError(ctx context.Context, o *Options, stage Stage, what string) error {
	if errors.Is(ctx.Err(), context.Canceled) && !errors.Is(context.Cause(ctx), errConnectTimeout) {
		return context.Canceled
	}
	return &ConnectError{Stage: stage, Addr: o.Addr(), Err: context.DeadlineExceeded,
		Reason: fmt.Sprintf("%s within %v", what, o.ConnectTimeout),
		hints:  []string{"check host and port, or give it more time with --connect-timeout"}}
}

var errConnectTimeout = errors.New("connect timeout")

func dialTCP(ctx context.Context, o *Options, host string, port int) (net.Conn, error) {
	d := net.Dialer{}
	if o.Bind != "" {
		ip, err := net.ResolveIPAddr("ip", o.Bind)
		if err != nil {
			return nil, &OptionError{Flag: "bind", Value: o.Bind, Reason: "not an address of this machine",
				hints: []string{"give an IP address that `ip addr` lists"}}
		}
		d.LocalAddr = &net.TCPAddr{IP: ip.IP, Zone: ip.Zone}
	}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, tcpError(ctx, o, host, err)
	}
	return conn, nil
}

func tcpError(ctx context.Context, o *Options, host string, err error) error {
	if expired(ctx, err) {
		return contextError(ctx, o, StageTCP, "no answer")
	}
	e := &ConnectError{Stage: StageTCP, Addr: o.Addr(), Reason: plainReason(err), Err: err}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		e.Stage = StageDNS
		e.Reason = fmt.Sprintf("the name %q could not be looked up: %s", host, dns.Err)
		if dns.IsNotFound {
			e.Reason = fmt.Sprintf("no such host %q", host)
		}
		e.hints = []string{"check the spelling of --host"}
		if strings.Contains(host, "://") {
			e.hints = []string{"--host takes a name or address; give a URL with --url"}
		}
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Reason = "connection refused"
		e.hints = []string{"is a broker running there? `mq broker` starts one on port 1883", "check --host and --port"}
	case errors.Is(err, syscall.EADDRNOTAVAIL) && o.Bind != "":
		return &OptionError{Flag: "bind", Value: o.Bind, Reason: "not an address of this machine",
			hints: []string{"give an IP address that `ip addr` lists"}}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		e.hints = []string{"check the network connection, the route and --host"}
	}
	return e
}

// plainReason strips the "dial tcp 127.0.0.1:1:" that net puts in front of what happened.
func plainReason(err error) string {
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Err.Error()
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}

func dialUnix(ctx context.Context, o *Options) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", o.SocketPath)
	if err == nil {
		return conn, nil
	}
	if expired(ctx, err) {
		return nil, contextError(ctx, o, StageTCP, "no answer")
	}
	e := &ConnectError{Stage: StageTCP, Addr: o.Addr(), Reason: plainReason(err), Err: err}
	switch {
	case errors.Is(err, os.ErrNotExist):
		e.Reason, e.hints = "no such socket", []string{"check the path of --unix"}
	case errors.Is(err, os.ErrPermission):
		e.Reason, e.hints = "permission denied", []string{"you need write permission on the socket: `ls -l` shows who has it"}
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Reason, e.hints = "nobody listens on the socket", []string{"is the broker running?"}
	}
	return nil, e
}

// lookupSRV replaces host and port of o by those of the service's first SRV record.
func lookupSRV(ctx context.Context, o *Options) error {
	service := "mqtt"
	if o.Network.Secure() {
		service = "secure-mqtt"
	}
	_, records, err := net.DefaultResolver.LookupSRV(ctx, service, "tcp", o.Host)
	if expired(ctx, err) {
		return contextError(ctx, o, StageDNS, "no answer from the name server")
	}
	if err != nil || len(records) == 0 {
		return &ConnectError{Stage: StageDNS, Addr: o.Addr(), Err: err,
			Reason: fmt.Sprintf("no SRV record _%s._tcp.%s", service, o.Host), hints: []string{"leave out -S and give --host and --port"}}
	}
	o.Host, o.Port = strings.TrimSuffix(records[0].Target, "."), int(records[0].Port)
	if o.tlsConfig != nil && o.TLS.ServerName == "" {
		o.tlsConfig = o.tlsConfig.Clone()
		o.tlsConfig.ServerName = o.Host
	}
	return nil
}
