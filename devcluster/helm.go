//go:build kubernetes

package main

import (
	"errors"
	"log/slog"
	"os"

	helmcmd "helm.sh/helm/v4/pkg/cmd"
)

func init() { commands["helm"] = runHelm }

func runHelm(args []string) error {
	command, err := helmcmd.NewRootCmd(os.Stdout, args, helmcmd.SetupLogging)
	if err != nil {
		slog.Warn("command failed", slog.Any("error", err))
		return status(1)
	}
	err = command.Execute() // prints its own error
	var failed helmcmd.CommandError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed):
		return status(failed.ExitCode)
	default:
		return status(1)
	}
}
