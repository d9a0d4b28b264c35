// Package commands is the command tree of mq: one file per subcommand, what they share, and the table of exit statuses.
// It is the only user of the flag library, and it refuses to hold protocol logic.
package commands

import (
	"io"
	"os"
	"time"
)

// Env is the world a command runs in. Everything a command reads or writes apart from sockets and named files comes from
// here, so that tests can put their own in.
type Env struct {
	Args   []string // with the program's name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Whether each stream is a terminal.
	StdinTTY, StdoutTTY, StderrTTY bool
	// TermSize returns the size of the terminal in cells, or zeros when there is none.
	TermSize func() (width, height int)
	// ReadSecret asks for a line on the terminal without showing what is typed.
	ReadSecret func(prompt string) (string, error)
	Getenv     func(string) string
	Now        func() time.Time
	Pid        int
	Version    string
}

// Interrupted is the cause of a context that ended because of a signal.
type Interrupted struct{ Signal os.Signal }

// Error names the signal.
func (e *Interrupted) Error() string { return e.Signal.String() }
