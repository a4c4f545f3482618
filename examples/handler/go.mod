module example.com/handler

go 1.26

toolchain go1.26.11

require weir v0.0.0

replace weir => ../..
