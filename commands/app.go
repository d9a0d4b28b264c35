package commands

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// command is a subcommand before it becomes a *cli.Command: what the help, the option files and the tests look at too.
type command struct {
	name    string
	usage   string // one line
	args    string // the synopsis after the name
	about   string // paragraphs
	example []example
	options []*option
	run     func(ctx context.Context) error
	// operand takes the arguments that are no options, one at a time; nil for a command that has none.
	operand func(string) error
	local   bool       // it is no client of a broker: the common lines of the options file are not for it
	subs    []*command // named "parent child"; a command that has some does nothing itself
}

// example is a command line and what it does.
type example struct{ line, what string }

// tree returns the commands in the order of the help.
func tree(env *Env) []*command {
	return []*command{pubCommand(env), subCommand(env), inspectCommand(env), brokerCommand(env), demoCommand(env)}
}

// Run runs the command line of env and returns the exit status. Errors have been printed.
func Run(ctx context.Context, env Env) int {
	err := quietPipe(interruption(ctx, newApp(&env).RunContext(ctx, env.Args)))
	printError(env.Stderr, err)
	return statusOf(err)
}

func newApp(env *Env) *cli.App {
	commands := tree(env)
	app := &cli.App{
		Name: "mq", HideHelp: true, HideVersion: true, DisableSliceFlagSeparator: true,
		Writer: env.Stdout, ErrWriter: env.Stderr,
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return flagError("mq", err, nil) },
	}
	var version, help bool
	app.Flags = []cli.Flag{
		&option{name: "help", usage: "print this help", set: setBool(&help)},
		&option{name: "version", usage: "print the version", set: setBool(&version)},
	}
	app.Action = func(c *cli.Context) error {
		switch {
		case version:
			_, err := fmt.Fprintf(env.Stdout, "mq %s\n", env.Version)
			return err
		case help:
			return write(env.Stdout, appHelp(commands))
		case c.Args().Present():
			return unknownCommand(c.Args().First(), commands)
		}
		return usagef("which command?").hint("mq %s, or `mq --help`", wordList(names(commands)))
	}
	for _, cmd := range commands {
		app.Commands = append(app.Commands, cmd.cli(env, allCommands(commands)))
	}
	app.Commands = append(app.Commands, helpCommand(env, commands))
	return app
}

func helpCommand(env *Env, commands []*command) *cli.Command {
	return &cli.Command{Name: "help", HideHelp: true, SkipFlagParsing: true, Action: func(c *cli.Context) error {
		if first := c.Args().First(); first == "" || first == "help" || first == "--help" {
			return write(env.Stdout, appHelp(commands))
		}
		name := strings.Join(c.Args().Slice(), " ")
		for _, cmd := range allCommands(commands) {
			if cmd.name == name {
				return write(env.Stdout, commandHelp(cmd))
			}
		}
		return unknownCommand(name, allCommands(commands))
	}}
}

// allCommands lists the commands and, after each, its subcommands.
func allCommands(commands []*command) []*command {
	var out []*command
	for _, c := range commands {
		out = append(append(out, c), c.subs...)
	}
	return out
}

func write(w io.Writer, s string) error {
	_, err := io.WriteString(w, s)
	return err
}

// cli wraps cmd for the flag library. Before run, the environment and the option files have been applied and every value
// has been read.
func (cmd *command) cli(env *Env, all []*command) *cli.Command {
	var help bool
	var file string
	if len(cmd.subs) == 0 {
		cmd.options = append(cmd.options, &option{group: groupGeneral, name: "options-file", short: "o", arg: "FILE", usage: "read options from FILE, one a line, instead of the default files", set: setString(&file)})
	}
	cmd.options = append(cmd.options,
		&option{group: groupGeneral, name: "help", usage: "print this help", env: noVariable, set: setBool(&help)},
		&option{group: groupGeneral, name: "version", usage: "print the version", env: noVariable, set: setBool(new(bool))})
	c := &cli.Command{
		Name: cmd.name[strings.LastIndexByte(cmd.name, ' ')+1:], Usage: cmd.usage, HideHelp: true, HideHelpCommand: true,
		OnUsageError: func(_ *cli.Context, err error, _ bool) error { return flagError("mq "+cmd.name, err, cmd.options) },
	}
	for _, o := range cmd.options {
		c.Flags = append(c.Flags, o)
	}
	for _, sub := range cmd.subs {
		c.Subcommands = append(c.Subcommands, sub.cli(env, all))
	}
	c.Action = func(c *cli.Context) error {
		rest, err := cmd.takeOperands(c.Args().Slice())
		switch {
		case err != nil:
			return err
		case help:
			return write(env.Stdout, commandHelp(cmd))
		case cmd.option("version").count > 0:
			_, err := fmt.Fprintf(env.Stdout, "mq %s\n", env.Version)
			return err
		case len(cmd.subs) > 0 && len(rest) > 0:
			return unknownCommand(cmd.name+" "+rest[0], cmd.subs)
		case len(cmd.subs) > 0:
			return usagef("%s what?", cmd.name).hint("mq %s, or `mq %s --help`", wordList(names(cmd.subs)), cmd.name)
		case len(rest) > 0:
			return leftover(cmd, rest)
		}
		if err := applyDefaults(env, cmd, all, file); err != nil {
			return err
		}
		for _, o := range cmd.options {
			if o.err != nil {
				return o.err
			}
		}
		return cmd.run(c.Context)
	}
	return c
}

// takeOperands hands the arguments that are no options to a command that takes some. The flag library stops at the first
// of them; options that follow are read here.
func (cmd *command) takeOperands(args []string) (rest []string, err error) {
	if cmd.operand == nil {
		return args, nil
	}
	for len(args) > 0 {
		if strings.HasPrefix(args[0], "-") && args[0] != "-" {
			set := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
			set.SetOutput(io.Discard)
			for _, o := range cmd.options {
				if err := o.Apply(set); err != nil {
					return nil, err
				}
			}
			if err := set.Parse(args); err != nil {
				return nil, flagError("mq "+cmd.name, err, cmd.options)
			}
			args = set.Args()
			continue
		}
		if err := cmd.operand(args[0]); err != nil {
			return nil, err
		}
		args = args[1:]
	}
	return nil, nil
}

func (cmd *command) option(name string) *option {
	i := slices.IndexFunc(cmd.options, func(o *option) bool { return o.name == name })
	if i < 0 {
		return nil
	}
	return cmd.options[i]
}

func names(commands []*command) []string {
	var out []string
	for _, c := range commands {
		out = append(out, c.name)
	}
	return out
}

func unknownCommand(name string, commands []*command) error {
	e := usagef("unknown command %q", name)
	if near := nearest(name, names(commands)); near != "" {
		return e.hint("did you mean `mq %s`?", near)
	}
	return e.hint("the commands are %s", wordList(names(commands)))
}

// leftover refuses arguments that are no options: the flag library stops reading options at the first of them.
func leftover(cmd *command, args []string) error {
	if d := cmd.option("property"); d != nil && d.count > 0 {
		return usagef("--property is not supported: it needs MQTT 5, which this version of mq does not speak")
	}
	e := usagef("unexpected argument %q", cut(args[0]))
	switch {
	case cmd.name == "pub" && len(args) >= 2 && !strings.HasPrefix(args[1], "-"):
		return e.hint("the topic goes after -t and the message after -m: mq pub -t %q -m %q", cut(args[0]), cut(args[1]))
	case cmd.option("topic") != nil && cmd.option("topic").count == 0:
		return e.hint("a topic goes after -t: mq %s -t %q", cmd.name, cut(args[0]))
	case len(args) > 1 && strings.HasPrefix(args[1], "-"):
		return e.hint("everything mq %s takes is an option with a name; quote values with spaces. What follows (%s) was not read", cmd.name, strings.Join(optionWords(args[1:]), " "))
	}
	return e.hint("everything mq %s takes is an option with a name; quote values with spaces. See `mq %s --help`", cmd.name, cmd.name)
}

// optionWords leaves out everything that may be a value, which may be a secret.
func optionWords(args []string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(s string) bool { return !strings.HasPrefix(s, "-") })
}

// flagError turns the flag library's message into ours.
func flagError(command string, err error, options []*option) error {
	msg := err.Error()
	if errors.Is(err, flag.ErrHelp) { // the library's answer to an undeclared -h
		msg = "flag provided but not defined: -h"
	}
	if name, ok := strings.CutPrefix(msg, "flag provided but not defined: -"); ok {
		if letters := joined(name, options); letters != "" {
			return usagef("unknown option %q", "-"+name).hint("letters are not joined: write %s", letters)
		}
		if o := attached(name, options); o != nil {
			return usagef("unknown option %q", "-"+o.short+"...").hint("put a space between -%s and its value", o.short)
		}
		e := usagef("unknown option %q", dashed(cut(name)))
		var known []string
		for _, o := range options {
			known = append(known, o.name)
		}
		if near := nearest(name, known); near != "" {
			e = e.hint("did you mean --%s?", near)
		}
		return e.hint("`%s --help` lists the options", command)
	}
	if name, ok := strings.CutPrefix(msg, "flag needs an argument: -"); ok {
		return usagef("%s needs a value", dashed(name)).hint("`%s --help` lists the options", command)
	}
	return usagef("%s", msg).hint("`%s --help` lists the options", command)
}

// joined takes name for single letters in one word, as "-dv", and returns them apart; "" if it is no such word.
func joined(name string, options []*option) string {
	var apart []string
	for _, r := range name {
		if !slices.ContainsFunc(options, func(o *option) bool { return o.short == string(r) && o.arg == "" }) {
			return ""
		}
		apart = append(apart, "-"+string(r))
	}
	if len(apart) < 2 {
		return ""
	}
	return strings.Join(apart, " ")
}

// attached returns the option of which name is the letter with the value right behind it, as in -q1.
func attached(name string, options []*option) *option {
	for _, o := range options {
		if o.short == "" || o.arg == "" || len(name) < 2 || !strings.HasPrefix(name, o.short) {
			continue
		}
		if name[0] < 'a' || name[1] < 'a' || name[1] > 'z' { // else it is a misspelt word
			return o
		}
	}
	return nil
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// nearest returns the word of the list that name was probably meant to be, or "".
func nearest(name string, list []string) string {
	best, distance := "", len(name)/3+2
	for _, w := range list {
		if d := editDistance(name, w); d < distance {
			best, distance = w, d
		}
	}
	return best
}

// editDistance counts the letters to add, drop or change to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// reasonOf strips the operation and the path from a file error; the message has them already.
func reasonOf(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
