package connect

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"mq/packet"
	"mq/tlsconf"
)

// Network says what carries the MQTT bytes.
type Network string

// The networks Dial knows.
const (
	TCP  Network = "tcp"
	TLS  Network = "tls"
	WS   Network = "ws"
	WSS  Network = "wss"
	Unix Network = "unix"
)

// Defaults of Options.
const (
	DefaultHost           = "localhost"
	DefaultKeepAlive      = 60
	DefaultConnectTimeout = 10 * time.Second
	DefaultInFlight       = 100 // at QoS 1
	DefaultInFlight2      = 20  // at QoS 2: mosquitto's limit, which disconnects whoever exceeds it
	DefaultPath           = "/mqtt"
)

// Options says how to reach a server and who asks. The zero value, with a ClientID, is a clean 3.1.1 session on
// localhost:1883.
type Options struct {
	Network    Network // default TCP
	Host       string  // default DefaultHost; a name, an IPv4 or an IPv6 address without brackets
	Port       int     // 1 to 65535; 0 means the network's default: 1883, 8883, 80, 443
	SRV        bool    // find host and port by the DNS SRV record _mqtt._tcp.Host
	SocketPath string  // Unix only
	Path       string  // WS and WSS only, default DefaultPath
	Header     http.Header
	TLS        tlsconf.Options

	Bind           string   // local address of TCP connections, "" for any
	Proxy          *url.URL // socks5, socks5h, http or https; nil for what Getenv says
	Getenv         func(string) string
	ConnectTimeout time.Duration // from the first DNS question to CONNACK, default DefaultConnectTimeout

	Version     packet.Version // V31 or V311, default V311
	ClientID    string
	KeepSession bool // clean session off (section 3.1.2.4 of 3.1.1)
	KeepAlive   int  // seconds, 0 to 65535; 0 turns it off (section 3.1.2.10)
	Username    string
	Password    Secret
	Will        *packet.Message // Topic, Payload, QoS and Retain of the will, nil for none

	// InFlight is the greatest number of PUBLISH of QoS 1 and 2 without their last acknowledgement, 1 to 65535. 0 means
	// DefaultInFlight, of which DefaultInFlight2 may be of QoS 2.
	InFlight int

	Retry     RetryPolicy // of the first connection
	Reconnect RetryPolicy // after a connection that was up; the zero value never reconnects
	// OnMessage receives every message, one at a time, in the order of arrival. m is valid until it returns. Returning
	// false withholds the acknowledgement, so that the server delivers the message again in a later connection.
	OnMessage func(m *packet.Message) bool
	OnEvent   func(Event)
	tlsConfig *tls.Config // made of TLS once, so that files are read and questions asked once

	// Tap sees every byte of the MQTT stream in both directions, after WebSocket and TLS were taken off.
	Tap Tap
}

// prepareTLS reads the files that TLS names.
func (o *Options) prepareTLS() error {
	if !o.Network.Secure() || o.tlsConfig != nil {
		return nil
	}
	c, err := o.TLS.Config(o.Host)
	o.tlsConfig = c
	return err
}

// Secret is text that must not appear in output; it prints as a mask.
type Secret string

// String returns a mask, so that a Secret cannot be printed by accident.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "•••"
}

// Format prints the same mask whatever the verb: fmt would show the text for a verb that does not fit.
func (s Secret) Format(f fmt.State, verb rune) {
	mask := s.String()
	if verb == 'q' {
		mask = strconv.Quote(mask)
	}
	_, _ = f.Write([]byte(mask))
}

// OptionError says which option is wrong; Flag is its name as typed on the command line, without dashes.
type OptionError struct {
	Flag   string
	Value  string
	Reason string
	hints  []string
}

// Error names the flag and the value.
func (e *OptionError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("--%s: %s", e.Flag, e.Reason)
	}
	return fmt.Sprintf("--%s %q: %s", e.Flag, e.Value, e.Reason)
}

// Hints returns what to type instead.
func (e *OptionError) Hints() []string { return e.hints }

func (o Options) withDefaults() Options {
	if o.Network == "" {
		o.Network = TCP
	}
	if o.Host == "" {
		o.Host = DefaultHost
	}
	if o.Port == 0 {
		o.Port = o.Network.DefaultPort()
	}
	if o.Path == "" {
		o.Path = DefaultPath
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = DefaultConnectTimeout
	}
	if o.Version == 0 {
		o.Version = packet.V311
	}
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
	if o.OnMessage == nil {
		o.OnMessage = func(*packet.Message) bool { return true }
	}
	return o
}

// DefaultPort returns the port a server of network n usually listens on, 0 for Unix.
func (n Network) DefaultPort() int {
	switch n {
	case TLS:
		return 8883
	case WS:
		return 80
	case WSS:
		return 443
	case Unix:
		return 0
	}
	return 1883
}

// Secure reports whether n runs over TLS.
func (n Network) Secure() bool { return n == TLS || n == WSS }

// Addr returns where o connects to, as an error message or a person would write it: host:port, or the socket's path.
func (o Options) Addr() string {
	o = o.withDefaults()
	if o.Network == Unix {
		return o.SocketPath
	}
	return net.JoinHostPort(o.Host, strconv.Itoa(o.Port))
}

// Validate checks what can be checked without a network. The error is an *OptionError or a *packet.TopicError.
func (o Options) Validate() error {
	o = o.withDefaults()
	for _, check := range []func() error{o.checkAddress, o.checkIdentity, o.checkWill} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) checkAddress() error {
	switch {
	case o.Port < 0 || o.Port > 65535:
		return &OptionError{Flag: "port", Value: strconv.Itoa(o.Port), Reason: "want 1 to 65535"}
	case o.Network == Unix && o.SocketPath == "":
		return &OptionError{Flag: "unix", Reason: "the path of the socket is empty"}
	case o.ConnectTimeout < 0:
		return &OptionError{Flag: "connect-timeout", Value: o.ConnectTimeout.String(), Reason: "must not be negative"}
	case o.Proxy != nil && o.Network == Unix:
		return &OptionError{Flag: "proxy", Reason: "a Unix socket is not reached through a proxy"}
	case o.Bind != "" && o.Network == Unix:
		return &OptionError{Flag: "bind", Reason: "a Unix socket has no local address"}
	}
	return nil
}

func (o Options) checkIdentity() error {
	switch {
	case o.Version == packet.V5:
		return &OptionError{Flag: "protocol-version", Value: "5", Reason: "MQTT 5 is not supported by this version of mq",
			hints: []string{"use -V 311; servers that speak MQTT 5 speak 3.1.1 too"}}
	case o.Version != packet.V31 && o.Version != packet.V311:
		return &OptionError{Flag: "protocol-version", Value: o.Version.String(), Reason: "want 31 or 311"}
	case o.KeepAlive < 0 || o.KeepAlive > 65535:
		return &OptionError{Flag: "keepalive", Value: strconv.Itoa(o.KeepAlive), Reason: "want 0 (off) to 65535 seconds"}
	case o.InFlight < 0 || o.InFlight > 65535:
		return &OptionError{Flag: "max-inflight", Value: strconv.Itoa(o.InFlight), Reason: "want 1 to 65535"}
	case o.KeepSession && o.ClientID == "":
		// A session is kept under its client identifier [MQTT-3.1.3-7 of 3.1.1].
		return &OptionError{Flag: "disable-clean-session", Reason: "a session that is kept needs a client identifier",
			hints: []string{"add --id NAME, the same name each time"}}
	case o.Version == packet.V31 && (o.ClientID == "" || utf8.RuneCountInString(o.ClientID) > 23):
		return &OptionError{Flag: "id", Value: o.ClientID, Reason: "MQTT 3.1 wants 1 to 23 characters",
			hints: []string{"choose a shorter --id, or use -V 311"}}
	case o.Password != "" && o.Username == "":
		return &OptionError{Flag: "pw", Reason: "a password needs a user name in MQTT 3.1 and 3.1.1", // [MQTT-3.1.2-22]
			hints: []string{"add --username NAME"}}
	}
	for _, f := range []struct{ flag, text string }{{"id", o.ClientID}, {"username", o.Username}} {
		if err := checkUTF8(f.flag, f.text); err != nil {
			return err
		}
	}
	if len(o.Password) > packet.MaxStringLen {
		return &OptionError{Flag: "pw", Reason: fmt.Sprintf("%d bytes, the limit is %d", len(o.Password), packet.MaxStringLen)}
	}
	return nil
}

func (o Options) checkWill() error {
	if o.Will == nil {
		return nil
	}
	if err := packet.CheckTopicName(o.Will.Topic); err != nil {
		return fmt.Errorf("--will-topic: %w", err)
	}
	if !o.Will.QoS.Valid() {
		return &OptionError{Flag: "will-qos", Value: o.Will.QoS.String(), Reason: "want 0, 1 or 2"}
	}
	if len(o.Will.Payload) > packet.MaxStringLen {
		return &OptionError{Flag: "will-payload", Reason: fmt.Sprintf("%d bytes, the limit is %d", len(o.Will.Payload), packet.MaxStringLen)}
	}
	return nil
}

// checkUTF8 applies the rules of a UTF-8 encoded string (section 1.5.3 of 3.1.1).
func checkUTF8(flag, s string) error {
	switch {
	case len(s) > packet.MaxStringLen:
		return &OptionError{Flag: flag, Reason: fmt.Sprintf("%d bytes, the limit is %d", len(s), packet.MaxStringLen)}
	case !utf8.ValidString(s):
		return &OptionError{Flag: flag, Value: s, Reason: "not valid UTF-8"}
	}
	for i := range len(s) {
		if s[i] == 0 {
			return &OptionError{Flag: flag, Value: s, Reason: "must not hold the character U+0000"}
		}
	}
	return nil
}
