package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
)

// The programs below are on the PATH of scripts.

// seqMain prints the numbers 1 to N, one a line: seq N.
func seqMain() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	for i := 1; i <= n; i++ {
		fmt.Fprintln(w, i)
	}
}

// countLinesMain checks that standard input is the numbers 1 to N in order, as seq prints them: countlines N. With
// "any" each must be there at least once, in any order.
func countLinesMain() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	anyOrder := len(os.Args) > 2 && os.Args[2] == "any"
	seen, distinct, total := make([]bool, n+1), 0, 0
	sc := bufio.NewScanner(os.Stdin)
	for sc.Scan() {
		total++
		i, err := strconv.Atoi(sc.Text())
		switch {
		case err != nil || i < 1 || i > n:
			fmt.Printf("line %d is %q\n", total, sc.Text())
			os.Exit(1)
		case i != total && !anyOrder:
			fmt.Printf("line %d is %d\n", total, i)
			os.Exit(1)
		case !seen[i]:
			seen[i] = true
			distinct++
		}
	}
	if distinct != n || !anyOrder && total != n {
		fmt.Printf("%d lines, %d different ones of %d\n", total, distinct, n)
		os.Exit(1)
	}
}

func isObject(line string) bool {
	var v map[string]any
	return json.Unmarshal([]byte(line), &v) == nil
}
