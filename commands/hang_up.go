package commands

import (
	"errors"
	"time"

	"mq/connect"
)

var errNotRead = errors.New("the server does not read what was sent to it")

// hangUpGrace is how long a run that ends early waits for the goodbye.
const hangUpGrace = time.Second

// hangUp closes a session. A run in a hurry, because it failed, was interrupted or sends nothing, does not wait for a
// server that has stopped reading.
func hangUp(s connect.Session, hurry bool) error {
	if !hurry {
		return s.Close()
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(hangUpGrace + time.Second): // Close itself waits up to a second for handshakes
		return errNotRead
	}
}
