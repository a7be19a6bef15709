module strata.test/interop/go-anytls

go 1.26.0

require (
	github.com/anytls/sing-anytls v0.0.11
	github.com/sagernet/sing v0.9.4
)

require golang.org/x/sys v0.47.0 // indirect
