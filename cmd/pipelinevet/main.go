// Command pipelinevet reports pipelines that cannot be built, with file and line, before anything runs:
//
//	go install github.com/plba/plba/cmd/pipelinevet@latest
//	go vet -vettool=$(which pipelinevet) ./...
//
// A module can keep it at the version of PLBA that it uses:
//
//	go get -tool github.com/plba/plba/cmd/pipelinevet
//	go vet -vettool=$(go tool -n pipelinevet) ./...
//
// It also takes packages itself, as `pipelinevet ./...`; go vet is faster the second time, as it keeps results. What
// is reported is described in package pipelinevet. Under go vet the exit code is 1 when there are findings; alone it
// is 3, and 1 when packages cannot be loaded.
package main

import (
	"golang.org/x/tools/go/analysis/singlechecker"

	"github.com/plba/plba/pipeline/pipelinevet"
)

func main() { singlechecker.Main(pipelinevet.Analyzer) }
