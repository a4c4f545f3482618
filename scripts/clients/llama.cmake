# Read by llama.cpp's build after its project() (scripts/install.sh): several
# sources are compiled as one, which halves the time. mtmd forbids that.
set(CMAKE_UNITY_BUILD ON)
cmake_language(DEFER CALL set_property TARGET mtmd PROPERTY UNITY_BUILD OFF)
