// Command mq is an MQTT toolkit for the shell.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"

	"mq/commands"
)

// version is stamped by the release build.
var version = ""

// gcPercent lets the heap grow to five times what lives: a stream of messages leaves garbage of a few megabytes behind,
// and collecting it as often as Go does by itself takes a third of the CPU time of a publisher. GOGC overrules it.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	go awaitSignals(cancel)
	signal.Ignore(syscall.SIGPIPE) // a closed pipe is an error of Write, which ends a command quietly
	os.Exit(commands.Run(ctx, commands.Env{
		Args:       os.Args,
		Stdin:      os.Stdin,
		Stdout:     os.Stdout,
		Stderr:     os.Stderr,
		StdinTTY:   isTerminal(os.Stdin),
		StdoutTTY:  isTerminal(os.Stdout),
		StderrTTY:  isTerminal(os.Stderr),
		TermSize:   termSize,
		ReadSecret: func(prompt string) (string, error) { return readSecret(ctx, prompt) },
		Getenv:     os.Getenv,
		Now:        time.Now,
		Pid:        os.Getpid(),
		Version:    buildVersion(),
	}))
}

// awaitSignals ends the context at the first signal. The second one kills the process: whoever asks twice does not want
// to wait.
func awaitSignals(cancel context.CancelCauseFunc) {
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	cancel(&commands.Interrupted{Signal: <-c})
	again := <-c
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Signal(again)
	}
}

func isTerminal(f *os.File) bool {
	return isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd())
}

func termSize() (width, height int) {
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil {
			return w, h
		}
	}
	return 0, 0
}

// readSecret asks on the terminal itself, so that standard input stays free for messages. When ctx ends the terminal is
// given back as it was.
func readSecret(ctx context.Context, prompt string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", errors.New("there is no terminal to ask on")
	}
	defer tty.Close()
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	if _, err := tty.WriteString(prompt); err != nil {
		return "", err
	}
	type answer struct {
		text []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		_, err := tty.WriteString("\n")
		return string(a.text), errors.Join(a.err, err)
	case <-ctx.Done():
		_, err := tty.WriteString("\n")
		return "", errors.Join(context.Cause(ctx), term.Restore(fd, before), err)
	}
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") {
		return info.Main.Version
	}
	return "development"
}
