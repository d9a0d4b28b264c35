package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"mq/connect"
	"mq/packet"
	"mq/tlsconf"
)

// usageError says that what the user typed cannot be done; nothing was sent.
type usageError struct {
	msg   string
	hints []string
}

func (e *usageError) Error() string { return e.msg }

// Hints returns what to type instead.
func (e *usageError) Hints() []string { return e.hints }

func usagef(format string, a ...any) *usageError { return &usageError{msg: fmt.Sprintf(format, a...)} }

func (e *usageError) hint(format string, a ...any) *usageError {
	e.hints = append(e.hints, fmt.Sprintf(format, a...))
	return e
}

// timeoutError says that -W ran out.
type timeoutError struct{ what string }

func (e *timeoutError) Error() string { return e.what }

// expectationError says that something the user demanded did not hold.
type expectationError struct{ what string }

func (e *expectationError) Error() string { return e.what }

// failure is an error while running, with hints.
type failure struct {
	msg   string
	err   error
	hints []string
}

func (e *failure) Error() string   { return e.msg }
func (e *failure) Unwrap() error   { return e.err }
func (e *failure) Hints() []string { return e.hints }

// exitStatus is a row of the table of exit statuses.
type exitStatus struct {
	code    int
	meaning string
	// matches reports whether an error leads to this status; rows are asked from the top.
	matches func(error) bool
}

// exitStatuses is the one table of exit statuses; the help and the README print it.
var exitStatuses = []exitStatus{
	{0, "done; an endless sub that is interrupted has done its job", func(err error) bool { return err == nil }},
	{143, "terminated before the work was done", func(err error) bool { return interruptedBy(err, syscall.SIGTERM) }},
	{130, "interrupted before the work was done", func(err error) bool { return interruptedBy(err, 0) }},
	{27, "-W ran out", isA[*timeoutError]},
	{2, "wrong usage; nothing was sent", isUsage},
	{3, "could not connect: DNS, TCP, TLS, WebSocket, or no CONNACK in time", isA[*connect.ConnectError]},
	{4, "refused by the broker: a connection or a subscription", isA[*connect.RefusedError]},
	{5, "an expectation was not met: --fail-on", isA[*expectationError]},
	{1, "failed while running", func(error) bool { return true }},
}

func isA[T error](err error) bool {
	var t T
	return errors.As(err, &t)
}

func isUsage(err error) bool {
	return isA[*usageError](err) || isA[*connect.OptionError](err) || isA[*packet.TopicError](err) || isA[*tlsconf.Error](err)
}

func interruptedBy(err error, sig syscall.Signal) bool {
	var i *Interrupted
	return errors.As(err, &i) && (sig == 0 || i.Signal == sig)
}

// statusOf returns the exit status of err.
func statusOf(err error) int {
	for _, s := range exitStatuses {
		if s.matches(err) {
			return s.code
		}
	}
	return 1
}

// interruption replaces a plain context error by its cause, so that the signal is known.
func interruption(ctx context.Context, err error) error {
	var i *Interrupted
	if err != nil && errors.As(context.Cause(ctx), &i) && errors.Is(err, context.Canceled) {
		return i
	}
	return err
}

// printError shows err the way every error of mq looks. A signal is not an error of anybody's and needs no words.
func printError(w io.Writer, err error) {
	if err == nil || isA[*Interrupted](err) {
		return
	}
	fmt.Fprintf(w, "mq: %s\n", oneLine(err.Error()))
	for _, hint := range hintsOf(err) {
		fmt.Fprintf(w, "hint: %s\n", oneLine(hint))
	}
}

// hintsOf returns the hints of the outermost error that has some.
func hintsOf(err error) []string {
	for err != nil {
		if h, ok := err.(interface{ Hints() []string }); ok && len(h.Hints()) > 0 {
			return h.Hints()
		}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				if hints := hintsOf(e); len(hints) > 0 {
					return hints
				}
			}
			return nil
		}
		err = errors.Unwrap(err)
	}
	return nil
}

// longestLine is how many bytes of an error are shown.
const longestLine = 1000

// oneLine keeps an error on one line and control characters off the terminal, whoever wrote it.
func oneLine(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case i > longestLine:
			return b.String() + "..."
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteByte(' ')
		case r < ' ' || r >= 0x7f && r < 0xa0:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
