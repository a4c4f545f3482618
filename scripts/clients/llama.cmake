# Read by llama.cpp's build after its project() (scripts/install.sh), to build
# llama-server and little else: half the sources, several compiled as one.
set(CMAKE_UNITY_BUILD ON)

function(only_server)
    set_property(TARGET mtmd PROPERTY UNITY_BUILD OFF) # its sources refuse
    get_property(tools DIRECTORY tools PROPERTY SUBDIRECTORIES)
    foreach(dir IN LISTS tools)
        get_property(targets DIRECTORY "${dir}" PROPERTY BUILDSYSTEM_TARGETS)
        foreach(target IN LISTS targets)
            if(NOT target STREQUAL "llama-server")
                set_property(TARGET ${target} PROPERTY EXCLUDE_FROM_ALL ON)
            endif()
        endforeach()
    endforeach()
endfunction()
cmake_language(DEFER CALL only_server)
