package broker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Kind is what an Event tells of.
type Kind string

// The kinds of events.
const (
	Connected    Kind = "connect"
	Disconnected Kind = "disconnect"
	Subscribed   Kind = "subscribe"
	Unsubscribed Kind = "unsubscribe"
	Published    Kind = "publish" // only with Options.PublishEvents
	Refused      Kind = "refused" // a connection, a subscription or a message was not accepted
	Dropped      Kind = "dropped" // a message did not fit into the queue of ClientID
)

// Event is one thing that happened in the broker.
type Event struct {
	Kind     Kind
	ClientID string
	Username string
	Network  string // of the listener: "tcp", "tls", "ws", "wss", "unix"
	Remote   string // the client's address, "" for a unix socket
	Version  byte   // the protocol level: 3, 4 or 5; 0 when no CONNECT was understood
	Topic    string // topic filter of a subscription, topic name of a message
	QoS      byte
	Retain   bool
	Size     int    // of the payload
	Code     byte   // the reason or return code the client was given, if any
	Detail   string // the reason in words
}

// event returns an Event that says which client it is about.
func (ss *session) event(k Kind) Event {
	c := ss.conn
	return Event{Kind: k, ClientID: ss.id, Username: ss.username, Network: c.network, Remote: c.remote, Version: ss.version}
}

const takenOver = "another client with the same identifier connected"

// disconnectReason says in words why a connection ended.
func disconnectReason(cl *mochi.Client, err error) string {
	cause := cl.StopCause()
	var code packets.Code
	switch {
	case errors.Is(cause, packets.CodeDisconnect) && err == nil:
		return "client disconnected"
	case errors.Is(cause, packets.ErrSessionTakenOver):
		return takenOver
	case errors.Is(cause, packets.ErrServerShuttingDown):
		return "broker is shutting down"
	case errors.Is(err, packets.CodeDisconnectWillMessage):
		return "client disconnected and asked for its will message"
	case errors.As(err, &code) || errors.As(cause, &code):
		return fmt.Sprintf("%s (0x%02x)", code.Reason, code.Code)
	}
	return "connection lost: " + ioReason(err)
}

// ioReason puts the error of a read into words.
func ioReason(err error) string {
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return "closed by the client without DISCONNECT"
	case errors.Is(err, net.ErrClosed):
		return "closed by the broker"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "nothing received within one and a half times the keep alive interval"
	}
	return err.Error()
}

// connectReason says why a connection never got as far as a session.
func connectReason(err error) string {
	var code packets.Code
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return "closed before CONNECT"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "no CONNECT in time"
	case errors.As(err, &code):
		return "not a valid CONNECT: " + code.Reason
	}
	return "not a valid CONNECT: " + err.Error()
}

// connackCode translates a reason code of MQTT 5 into a return code of earlier versions; mochi does so for some only,
// and takes "bad user name or password" for "not authorized".
func connackCode(version, code byte) byte {
	if version >= 5 || code < packets.ErrUnspecifiedError.Code {
		return code
	}
	switch code {
	case packets.ErrUnsupportedProtocolVersion.Code, packets.ErrProtocolViolation.Code:
		return 1
	case packets.ErrClientIdentifierNotValid.Code, packets.ErrUnspecifiedError.Code: // mochi: no identifier, no clean session
		return 2
	case packets.ErrBadUsernameOrPassword.Code:
		return 4
	case packets.ErrNotAuthorized.Code:
		return 5
	}
	return 3
}
