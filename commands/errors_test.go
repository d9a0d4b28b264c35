package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"

	"mq/broker"
	"mq/connect"
	"mq/packet"
	"mq/tlsconf"
)

func TestStatusOf(t *testing.T) {
	interrupted, terminated := &Interrupted{Signal: os.Interrupt}, &Interrupted{Signal: syscall.SIGTERM}
	refused := &connect.RefusedError{Packet: packet.SUBSCRIBE, Topic: "a", Code: 0x80, Words: "failure"}
	unreachable := &connect.ConnectError{Addr: "h:1", Reason: "connection refused"}
	for _, c := range []struct {
		name string
		err  error
		want int
	}{
		{"none", nil, 0},
		{"plain", errors.New("x"), 1},
		{"failure", &failure{msg: "x"}, 1},
		{"lost", &connect.LostError{Addr: "h:1", Reason: "x"}, 1},
		{"protocol", &connect.ProtocolError{Addr: "h:1", Reason: "x"}, 1},
		{"listen", &broker.ListenError{Network: "tcp", Err: broker.ErrInUse}, 1},
		{"usage", usagef("x"), 2},
		{"option", &connect.OptionError{Flag: "port", Reason: "x"}, 2},
		{"topic", packet.CheckTopicName("a/#"), 2},
		{"filter", packet.CheckTopicFilter("a#"), 2},
		{"tls option", &tlsconf.Error{Flag: "--cafile", Reason: "x"}, 2},
		{"connect", unreachable, 3},
		{"refused", refused, 4},
		{"timeout", &timeoutError{"x"}, 27},
		{"interrupt", interrupted, 130},
		{"terminate", terminated, 143},
		{"wrapped", fmt.Errorf("subscribe: %w", refused), 4},
		{"joined", errors.Join(errors.New("x"), unreachable), 3},
		{"interrupt outranks", errors.Join(unreachable, interrupted), 130},
		{"a file's usage error", fmt.Errorf("config:1: %w", usagef("x")), 2},
	} {
		if got := statusOf(c.err); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestInterruption(t *testing.T) {
	signal := &Interrupted{Signal: syscall.SIGTERM}
	ctx, cancel := context.WithCancelCause(context.Background())
	if err := interruption(ctx, context.Canceled); err != context.Canceled {
		t.Errorf("without a signal: %v", err)
	}
	cancel(signal)
	if err := interruption(ctx, fmt.Errorf("x: %w", context.Canceled)); err != signal {
		t.Errorf("%v, want the signal", err)
	}
	if err := interruption(ctx, nil); err != nil {
		t.Errorf("%v, want nil: the work was done", err)
	}
	if err := interruption(ctx, io.EOF); err != io.EOF {
		t.Errorf("%v, want EOF", err)
	}
}

func TestPrintError(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"none", nil, ""},
		{"signal", fmt.Errorf("x: %w", &Interrupted{Signal: os.Interrupt}), ""},
		{"plain", errors.New("a\nb"), "mq: a b\n"},
		{"hints", usagef("no %s", "topic").hint("add %q", "-t").hint("or not"), "mq: no topic\nhint: add \"-t\"\nhint: or not\n"},
		{"hints inside", fmt.Errorf("f:1: %w", usagef("x").hint("y")), "mq: f:1: x\nhint: y\n"},
		{"hints below an error without", &tlsconf.Error{Flag: "--key", Reason: "x", Err: usagef("y").hint("z")}, "mq: --key: x\nhint: z\n"},
		{"hints in a joined error", errors.Join(errors.New("a"), usagef("b").hint("c")), "mq: a b\nhint: c\n"},
		{"control bytes", errors.New("\x1b[31mred"), "mq: \\x1b[31mred\n"},
	} {
		var b bytes.Buffer
		if printError(&b, c.err); b.String() != c.want {
			t.Errorf("%s: %q, want %q", c.name, b.String(), c.want)
		}
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain ü→": "plain ü→", "a\r\nb\tc": "a  b c", "\x00\x1b\x7f": `\x00\x1b\x7f`, "\u009b31m": `\x9b31m`} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestQuietPipe(t *testing.T) {
	for _, err := range []error{nil, fmt.Errorf("x: %w", syscall.EPIPE), io.ErrClosedPipe} {
		if got := quietPipe(err); got != nil {
			t.Errorf("quietPipe(%v) = %v", err, got)
		}
	}
	if got := quietPipe(io.EOF); got != io.EOF {
		t.Errorf("quietPipe(EOF) = %v", got)
	}
}
