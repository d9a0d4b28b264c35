package commands

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// testEnv is an empty world: no input, no terminal, no environment, no home.
func testEnv(args ...string) (env *Env, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	return &Env{Args: append([]string{"mq"}, args...), Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr,
		TermSize:   func() (int, int) { return 80, 24 },
		ReadSecret: func(string) (string, error) { return "", errors.New("no terminal") },
		Getenv:     func(string) string { return "" }, Now: time.Now, Pid: 4711, Version: "v1.2.3"}, stdout, stderr
}

func TestEveryCommandHasWhatItNeeds(t *testing.T) {
	env, _, _ := testEnv()
	all := allCommands(tree(env))
	if len(all) == 0 {
		t.Fatal("no commands")
	}
	for _, cmd := range all {
		t.Run(cmd.name, func(t *testing.T) {
			c := cmd.cli(env, all)
			name := strings.ReplaceAll(cmd.name, " ", "_") // a way into inspect may have scripts in one piece: inspect_read.txtar
			scripts, err := filepath.Glob("../testdata/script/" + name + "_*.txtar")
			if _, serr := os.Stat("../testdata/script/" + name + ".txtar"); serr == nil {
				scripts = append(scripts, name)
			}
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case len(scripts) == 0:
				t.Errorf("no testdata/script/%s_*.txtar", cmd.name)
			case len(cmd.example) == 0:
				t.Error("no example in its help")
			case c.OnUsageError == nil:
				t.Error("no OnUsageError")
			case cmd.usage == "" || cmd.about == "" || cmd.args == "" || (cmd.run == nil) != (len(cmd.subs) > 0):
				t.Error("usage, about, args or run is missing, or it has both run and subcommands")
			}
			for _, sub := range cmd.subs {
				if !strings.HasPrefix(sub.name, cmd.name+" ") || len(sub.subs) > 0 || len(c.Subcommands) != len(cmd.subs) {
					t.Errorf("%q is not a leaf of %q", sub.name, cmd.name)
				}
			}
			for _, e := range cmd.example {
				if !strings.Contains(e.line, "mq "+cmd.name) || e.what == "" {
					t.Errorf("example %q does not show the command, or has no explanation", e.line)
				}
			}
		})
	}
}

func TestOptionsOfEachCommand(t *testing.T) {
	env, _, _ := testEnv()
	top := tree(env)
	all := allCommands(top)
	for _, cmd := range top { // its subcommands' too
		cmd.cli(env, all)
	}
	word := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	meaning := make(map[string]string) // of a name, in all commands that share connection flags
	for _, cmd := range all {
		seen := make(map[string]bool)
		for _, o := range cmd.options {
			switch {
			case len(o.usage) < 8:
				t.Errorf("mq %s --%s: the help says nothing", cmd.name, o.name)
			case o.group == "":
				t.Errorf("mq %s --%s: no group", cmd.name, o.name)
			case o.set == nil:
				t.Errorf("mq %s --%s: no setter", cmd.name, o.name)
			case !word.MatchString(o.name):
				t.Errorf("mq %s --%s: not whole words in kebab-case", cmd.name, o.name)
			case len(o.short) > 1:
				t.Errorf("mq %s -%s: not a single letter", cmd.name, o.short)
			}
			for _, n := range []string{o.name, o.short, o.variable()} {
				if n != "" && n != noVariable && seen[n] {
					t.Errorf("mq %s: two options are called %q", cmd.name, n)
				}
				seen[n] = true
			}
			for _, r := range o.rivals {
				if cmd.option(r) == nil {
					t.Errorf("mq %s --%s: its rival %q does not exist", cmd.name, o.name, r)
				}
			}
			if o.short != "" && cmd.name != "broker" && !strings.HasPrefix(cmd.name, "inspect ") { // there -v and -i are tcpdump's
				if other, ok := meaning[o.short]; ok && other != o.name {
					t.Errorf("-%s is --%s in one command and --%s in another", o.short, other, o.name)
				}
				meaning[o.short] = o.name
			}
		}
	}
}

// helpOf runs mq with args, which must succeed, and returns standard output.
func helpOf(t *testing.T, args ...string) string {
	t.Helper()
	env, stdout, stderr := testEnv(args...)
	if status := Run(context.Background(), *env); status != 0 || stderr.Len() > 0 {
		t.Fatalf("mq %s: exit status %d, stderr %q", strings.Join(args, " "), status, stderr)
	}
	return stdout.String()
}

func TestHelpFitsATerminal(t *testing.T) {
	env, _, _ := testEnv()
	texts := map[string]string{"mq": helpOf(t, "--help")}
	for _, cmd := range allCommands(tree(env)) {
		text := helpOf(t, append(strings.Fields(cmd.name), "--help")...)
		texts["mq "+cmd.name] = text
		if diff := cmp.Diff(text, helpOf(t, append([]string{"help"}, strings.Fields(cmd.name)...)...)); diff != "" {
			t.Errorf("mq help %s differs from its --help:\n%s", cmd.name, diff)
		}
	}
	for name, text := range texts {
		for i, line := range strings.Split(text, "\n") {
			if n := utf8.RuneCountInString(line); n > 80 {
				t.Errorf("%s --help line %d has %d columns: %q", name, i+1, n, line)
			}
			if strings.TrimRight(line, " ") != line {
				t.Errorf("%s --help line %d ends with spaces: %q", name, i+1, line)
			}
		}
	}
}

var update = flag.Bool("update", false, "rewrite the help in README.md")

// The README shows the help between <!-- help: mq pub --help --> and <!-- end -->, and the exit statuses between
// <!-- exit-statuses --> and <!-- end -->, each in a fenced block.
var readmeBlock = regexp.MustCompile("(?s)<!-- (help: mq[^>]*|exit-statuses) -->\\s*```[a-z]*\n(.*?)```\\s*<!-- end -->")

func TestReadmeEqualsHelp(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	help, statuses, fresh := 0, 0, text
	for _, m := range readmeBlock.FindAllStringSubmatch(text, -1) {
		want := exitHelp()
		if command, ok := strings.CutPrefix(m[1], "help: mq"); ok {
			want = helpOf(t, strings.Fields(command)...)
			help++
		} else {
			statuses++
		}
		fresh = strings.ReplaceAll(fresh, m[0], strings.Replace(m[0], m[2], want, 1))
		if diff := cmp.Diff(want, m[2]); diff != "" && !*update {
			t.Errorf("README.md, %s (-want +got):\n%s", m[1], diff)
		}
	}
	if *update && fresh != text {
		if err := os.WriteFile("../README.md", []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if markers := strings.Count(text, "<!-- help:") + strings.Count(text, "<!-- exit-statuses"); markers != help+statuses {
		t.Errorf("README.md has %d markers but %d complete blocks", markers, help+statuses)
	}
	if help == 0 || statuses == 0 {
		t.Errorf("README.md has %d help blocks and %d exit-status blocks, want at least one of each", help, statuses)
	}
}

func TestExitStatusTable(t *testing.T) {
	seen := make(map[int]bool)
	for _, s := range exitStatuses {
		if seen[s.code] || s.meaning == "" || s.matches == nil {
			t.Errorf("row %d: repeated or incomplete", s.code)
		}
		seen[s.code] = true
	}
	for _, code := range []int{0, 1, 2, 3, 4, 5, 27, 130, 143} {
		if !seen[code] {
			t.Errorf("no row for %d", code)
		}
	}
}

func TestUsageErrorsOfEveryCommand(t *testing.T) {
	env, _, _ := testEnv()
	for _, cmd := range allCommands(tree(env)) {
		args := append(strings.Fields(cmd.name), "--no-such-option")
		env, stdout, stderr := testEnv(args...)
		status := Run(context.Background(), *env)
		want := fmt.Sprintf("mq: unknown option \"--no-such-option\"\nhint: `mq %s --help` lists the options\n", cmd.name)
		if status != 2 || stdout.Len() > 0 || stderr.String() != want {
			t.Errorf("mq %s: status %d, stdout %q, stderr %q", strings.Join(args, " "), status, stdout, stderr)
		}
	}
}
