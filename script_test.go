package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptCommands are the commands scripts have beyond testscript's own:
//
//	exits N prog args...          run prog, which must end with exit status N
//	start NAME [<FILE|<-] prog... run prog in the background; its output goes to the files NAME.out and NAME.err; its
//	                              input comes from FILE, or from feed, or is empty
//	feed NAME [text]              write text, a Go string without quotes, to the input of NAME; without text end the input
//	signal INT|TERM|KILL NAME     send a signal
//	ends N NAME                   wait for NAME, which must end with status N; stdout and stderr are then about it
//	waitfor FILE REGEX [N]        wait until the file matches the expression, N times
//	envfrom NAME FILE REGEX       set a variable to what the first group of the expression matches in the file
//	waitevent KIND WHAT [N]       wait until the broker has reported an event about a client or topic N times
//	waitsub FILTER [N]            the same for subscriptions
//	brokercmd drop CLIENT         break the connection of a client
//	brokerstat NAME N             wait until a counter of the broker is N, and fail when it is greater
//	fakeserver NAME KIND          start a server that misbehaves; NAME_PORT is its port and NAME.log what it received
//	bytes FILE HEX                the file must hold exactly these bytes; "-" is stdout
//	jsonlines FILE                every line of the file must be a JSON object
//	relay NAME PORT               pass connections to NAME_PORT on to PORT; relay NAME cut breaks those that are open
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"exits": cmdExits, "start": cmdStart, "feed": cmdFeed, "signal": cmdSignal, "ends": cmdEnds,
	"waitfor": cmdWaitFor, "waitevent": cmdWaitEvent, "waitsub": cmdWaitSub, "brokercmd": cmdBroker,
	"brokerstat": cmdBrokerStat, "fakeserver": cmdFakeServer, "bytes": cmdBytes, "jsonlines": cmdJSONLines, "relay": cmdRelay,
	"envfrom": cmdEnvFrom,
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func usage(ts *testscript.TestScript, neg, ok bool, text string) {
	if neg {
		ts.Fatalf("unsupported: ! in front of %s", text)
	}
	if !ok {
		ts.Fatalf("usage: %s", text)
	}
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

// statusOf returns the exit status as a shell would: 128 and the signal for a process that was killed.
func statusOf(ts *testscript.TestScript, err error) int {
	var ee *exec.ExitError
	if err == nil {
		return 0
	}
	if !errors.As(err, &ee) {
		ts.Fatalf("%v", err)
	}
	if ws, ok := ee.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ee.ExitCode()
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "exits N prog args...")
	want := number(ts, args[0])
	if got := statusOf(ts, ts.Exec(args[1], args[2:]...)); got != want {
		ts.Fatalf("exit status %d, want %d\n[stderr]\n%s", got, want, ts.ReadFile("stderr"))
	}
}

// proc is a process in the background.
type proc struct {
	cmd      *exec.Cmd
	out, err string // files
	stdin    io.WriteCloser
	done     chan struct{}
	waitErr  error
	ended    bool // its status was asked for
}

func (p *proc) kill() {
	select {
	case <-p.done:
	default:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "start NAME [<FILE|<-] prog args...")
	name, args := args[0], args[1:]
	w := worldOf(ts)
	if w.procs[name] != nil {
		ts.Fatalf("there is a process %q already", name)
	}
	input := ""
	if strings.HasPrefix(args[0], "<") {
		input, args = args[0][1:], args[1:]
	}
	ts.Check(ts.Exec("sh", "-c", "env -0 >.env")) // testscript does not say what the environment is
	env := strings.Split(strings.TrimRight(ts.ReadFile(".env"), "\x00"), "\x00")
	prog, err := lookPath(args[0], ts.Getenv("PATH"))
	ts.Check(err)
	p := &proc{cmd: exec.Command(prog, args[1:]...), out: ts.MkAbs(name + ".out"), err: ts.MkAbs(name + ".err"), done: make(chan struct{})}
	p.cmd.Args[0], p.cmd.Env, p.cmd.Dir = args[0], env, ts.MkAbs(".")
	stdout, err := os.Create(p.out)
	ts.Check(err)
	defer stdout.Close()
	stderr, err := os.Create(p.err)
	ts.Check(err)
	defer stderr.Close()
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	switch input {
	case "":
	case "-":
		p.stdin, err = p.cmd.StdinPipe()
		ts.Check(err)
	default:
		f, err := os.Open(ts.MkAbs(input))
		ts.Check(err)
		defer f.Close()
		p.cmd.Stdin = f
	}
	ts.Check(p.cmd.Start())
	go func() {
		p.waitErr = p.cmd.Wait()
		close(p.done)
	}()
	w.procs[name] = p
}

func lookPath(prog, path string) (string, error) {
	if filepath.Base(prog) != prog {
		return prog, nil
	}
	for _, dir := range filepath.SplitList(path) {
		full := filepath.Join(dir, prog)
		if fi, err := os.Stat(full); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return full, nil
		}
	}
	return "", fmt.Errorf("no program %q on PATH", prog)
}

func process(ts *testscript.TestScript, name string) *proc {
	p := worldOf(ts).procs[name]
	if p == nil {
		ts.Fatalf("no process %q", name)
	}
	return p
}

func cmdFeed(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1 || len(args) == 2, "feed NAME [text]")
	p := process(ts, args[0])
	if p.stdin == nil {
		ts.Fatalf("process %q was not started with <-", args[0])
	}
	if len(args) == 1 {
		ts.Check(p.stdin.Close())
		return
	}
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	_, err = io.WriteString(p.stdin, text)
	ts.Check(err)
}

func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "signal INT|TERM|KILL NAME")
	signals := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "KILL": os.Kill}
	sig, ok := signals[args[0]]
	if !ok {
		ts.Fatalf("unknown signal %q", args[0])
	}
	ts.Check(process(ts, args[1]).cmd.Process.Signal(sig))
}

func cmdEnds(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "ends N NAME")
	p := process(ts, args[1])
	select {
	case <-p.done:
	case <-time.After(patience):
		ts.Fatalf("%q did not end\n[stderr]\n%s", args[1], ts.ReadFile(p.err))
	}
	p.ended = true
	stdout, stderr := ts.ReadFile(p.out), ts.ReadFile(p.err)
	if len(stdout) > 1<<20 {
		stdout = stdout[:1<<20]
	}
	fmt.Fprint(ts.Stdout(), stdout)
	fmt.Fprint(ts.Stderr(), stderr)
	if want := number(ts, args[0]); statusOf(ts, p.waitErr) != want {
		ts.Fatalf("%v, want %d\n[stderr]\n%s", p.waitErr, want, stderr)
	}
	delete(worldOf(ts).procs, args[1])
}

func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2 || len(args) == 3, "waitfor FILE REGEX [N]")
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	n := 1
	if len(args) == 3 {
		n = number(ts, args[2])
	}
	file, last := ts.MkAbs(args[0]), []byte(nil)
	if !poll(func() bool {
		last, _ = os.ReadFile(file) // it may not be there yet
		return len(re.FindAllIndex(last, n)) >= n
	}) {
		ts.Fatalf("%s does not match %q %d times:\n%s", args[0], args[1], n, last)
	}
}

func cmdEnvFrom(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 3, "envfrom NAME FILE REGEX")
	re, err := regexp.Compile("(?m)" + args[2])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile(args[1]))
	if len(m) < 2 {
		ts.Fatalf("%s does not match %q, or there is no group in it", args[1], args[2])
	}
	ts.Setenv(args[0], m[1])
}

func cmdWaitEvent(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2 || len(args) == 3, "waitevent KIND WHAT [N]")
	n := 1
	if len(args) == 3 {
		n = number(ts, args[2])
	}
	ts.Check(worldOf(ts).await(args[0]+" "+args[1], n))
}

func cmdWaitSub(ts *testscript.TestScript, neg bool, args []string) {
	cmdWaitEvent(ts, neg, append([]string{"subscribe"}, args...))
}

func cmdBroker(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2 && args[0] == "drop", "brokercmd drop CLIENT")
	ts.Check(worldOf(ts).broker.DisconnectClient(args[1]))
}

func cmdBrokerStat(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "brokerstat NAME N")
	want, got := int64(number(ts, args[1])), int64(0)
	ok := poll(func() bool {
		s := worldOf(ts).broker.Stats()
		counters := map[string]int64{"received": s.Received, "sent": s.Sent, "dropped": s.Dropped, "connected": s.Connected,
			"retained": s.Retained, "subscriptions": s.Subscriptions}
		n, known := counters[args[0]]
		if !known {
			ts.Fatalf("no counter %q", args[0])
		}
		got = n
		return got == want || got > want && args[0] != "connected" && args[0] != "subscriptions" && args[0] != "retained"
	})
	if !ok || got != want {
		ts.Fatalf("%s is %d, want %d", args[0], got, want)
	}
}

func cmdBytes(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "bytes FILE HEX")
	name := args[0]
	if name == "-" {
		name = "stdout"
	}
	got := []byte(ts.ReadFile(name))
	want := make([]byte, 0, len(args[1])/2)
	if _, err := fmt.Sscanf(strings.ReplaceAll(args[1], " ", ""), "%x", &want); err != nil && args[1] != "" {
		ts.Fatalf("%v", err)
	}
	if !bytes.Equal(got, want) {
		ts.Fatalf("the bytes are\n% x, want\n% x", got, want)
	}
}

func cmdJSONLines(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "jsonlines FILE")
	lines := strings.SplitAfter(ts.ReadFile(args[0]), "\n")
	if lines[len(lines)-1] != "" {
		ts.Fatalf("the last line has no end")
	}
	lines = lines[:len(lines)-1]
	if len(lines) == 0 {
		ts.Fatalf("no lines")
	}
	if i := slices.IndexFunc(lines, func(l string) bool { return !isObject(l) }); i >= 0 {
		ts.Fatalf("line %d is not a JSON object: %q", i+1, lines[i])
	}
}
