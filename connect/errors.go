package connect

import (
	"fmt"

	"mq/packet"
)

// Stage is the step of connecting that failed.
type Stage string

// The steps of connecting, in order.
const (
	StageDNS       Stage = "dns"
	StageTCP       Stage = "tcp"
	StageProxy     Stage = "proxy"
	StageTLS       Stage = "tls"
	StageWebSocket Stage = "websocket"
	StageConnack   Stage = "connack" // the transport stood, but no valid CONNACK came
)

// ConnectError says that no MQTT connection came about, at which stage and why.
type ConnectError struct {
	Stage  Stage
	Addr   string
	Reason string // one phrase; safe to print
	Err    error  // the cause, may be nil
	hints  []string
	// permanent is set when another attempt would fail the same way: a certificate that cannot be trusted, say.
	permanent bool
}

// Error returns the address and the reason.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("connect to %s: %s", e.Addr, e.Reason)
}

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// Hints returns what to try next.
func (e *ConnectError) Hints() []string { return e.hints }

// RefusedError says that the server answered a packet with a failure.
type RefusedError struct {
	Packet packet.Type // the packet that was refused: CONNECT, SUBSCRIBE, PUBLISH
	Topic  string      // SUBSCRIBE: the topic filter; PUBLISH: the topic name
	Addr   string      // CONNECT: the server
	Code   byte        // the code on the wire
	Words  string      // what the code means
	hints  []string
}

// Error names the packet, the topic or server, and gives the code as words and hex.
func (e *RefusedError) Error() string {
	if e.Packet == packet.CONNECT {
		return fmt.Sprintf("%s refused the connection: %s (0x%02x)", e.Addr, e.Words, e.Code)
	}
	return fmt.Sprintf("%s of %q refused: %s (0x%02x)", e.Packet, e.Topic, e.Words, e.Code)
}

// Hints returns what to try next.
func (e *RefusedError) Hints() []string { return e.hints }

// Fatal reports whether trying again with the same options cannot help: everything but "server unavailable".
func (e *RefusedError) Fatal() bool {
	return e.Packet != packet.CONNECT || packet.ReturnCode(e.Code) != packet.ServerUnavailable
}

// refusedConnect explains a CONNACK return code of 3.1 and 3.1.1.
func refusedConnect(o *Options, code byte) *RefusedError {
	e := &RefusedError{Packet: packet.CONNECT, Addr: o.Addr(), Code: code, Words: packet.ReturnCode(code).String()}
	switch packet.ReturnCode(code) {
	case packet.UnacceptableVersion:
		other := "311"
		if o.Version == packet.V311 {
			other = "31"
		}
		e.hints = []string{fmt.Sprintf("the server does not speak MQTT %s; try -V %s", o.Version, other)}
	case packet.IdentifierRejected:
		e.hints = []string{"choose another client identifier with --id"}
		if o.ClientID == "" {
			e.hints = []string{"this server wants a client identifier: add --id NAME"}
		}
	case packet.ServerUnavailable:
		e.hints = []string{"the server is up but not ready; try again later, or add --retry"}
	case packet.BadUserNameOrPassword, packet.NotAuthorized:
		e.hints = credentialHints(o)
	}
	return e
}

func credentialHints(o *Options) []string {
	switch {
	case o.Username == "":
		return []string{"the server wants to know who you are: add --username NAME and --ask-password (or MQ_PASSWORD)"}
	case o.Password == "":
		return []string{fmt.Sprintf("user name %q was sent without a password: add --ask-password, --password-file or MQ_PASSWORD", o.Username)}
	}
	return []string{fmt.Sprintf("check the password of user name %q, and that this user may connect as client identifier %q", o.Username, o.ClientID)}
}

// refusedSubscribe explains the failure code of a 3.1.1 SUBACK, which has one for every reason.
func refusedSubscribe(filter string, code byte) *RefusedError {
	return &RefusedError{Packet: packet.SUBSCRIBE, Topic: filter, Code: code, Words: "failure",
		hints: []string{"the server does not let this user subscribe to the topic filter: check its access list, or try a narrower -t"}}
}
