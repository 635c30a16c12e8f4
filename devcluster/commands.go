package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"devcluster/internal/cluster"
	"devcluster/internal/control"
	"devcluster/internal/image"
)

const notRunningStatus = status(3)

func init() {
	commands["help"] = help
	commands["path"] = path
	commands["up"] = up
	commands["down"] = down
	commands["status"] = showStatus
	commands["kill"] = kill
	commands["restart"] = restart
	commands["janitor"] = janitor
	commands["load"] = load
	commands["enter"] = enter
	commands["image"] = image.Run
}

func help([]string) error {
	fmt.Print(usage)
	return nil
}

func path([]string) error {
	program, err := os.Executable()
	fmt.Println(program)
	return err
}

func up(args []string) error {
	options, err := cluster.ParseOptions(args, os.Stderr)
	if err != nil {
		return err
	}
	return cluster.Up(options)
}

// flags is a set of flags with the one that every command has.
func flags(name string) (*flag.FlagSet, *string) {
	fs := flag.NewFlagSet("devcluster "+name, flag.ContinueOnError)
	return fs, fs.String("dir", os.Getenv(cluster.DirVariable), "directory of the cluster ($"+cluster.DirVariable+")")
}

func down(args []string) error {
	fs, dir := flags("down")
	remove := fs.Bool("remove", false, "remove the directory too")
	if err := fs.Parse(args); err != nil {
		return err
	}
	return cluster.Down(*dir, *remove)
}

func showStatus(args []string) error {
	fs, dir := flags("status")
	asJSON := fs.Bool("json", false, "print JSON")
	if err := fs.Parse(args); err != nil {
		return err
	}
	err := cluster.PrintStatus(context.Background(), os.Stdout, *dir, *asJSON)
	if errors.Is(err, control.ErrNotRunning) {
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		return notRunningStatus
	}
	return err
}

func kill(args []string) error {
	fs, dir := flags("kill")
	if err := fs.Parse(args); err != nil {
		return err
	}
	signal := fs.Arg(1)
	if signal == "" {
		signal = "KILL"
	}
	if fs.NArg() < 1 || fs.NArg() > 2 {
		return errors.New("usage: devcluster kill --dir DIR COMPONENT [SIGNAL]")
	}
	return cluster.Kill(context.Background(), *dir, fs.Arg(0), signal)
}

func restart(args []string) error {
	fs, dir := flags("restart")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return errors.New("usage: devcluster restart --dir DIR COMPONENT")
	}
	return cluster.Restart(context.Background(), *dir, fs.Arg(0))
}

func janitor(args []string) error {
	fs, dir := flags("janitor")
	if err := fs.Parse(args); err != nil {
		return err
	}
	return cluster.RunJanitor(*dir)
}

func load(args []string) error {
	fs, dir := flags("load")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() == 0 {
		return errors.New("usage: devcluster load --dir DIR FILE.tar...")
	}
	for _, file := range fs.Args() {
		if err := cluster.LoadImage(context.Background(), *dir, file); err != nil {
			return err
		}
	}
	return nil
}

func enter(args []string) error {
	fs, dir := flags("enter")
	if err := fs.Parse(args); err != nil {
		return err
	}
	return cluster.Enter(*dir, fs.Args())
}
