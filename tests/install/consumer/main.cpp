// A stranger's C++ program: the headers are usable from C++ and the symbols have C linkage.
#include <ringkernel/ringkernel.h>

#include <iostream>
#include <string>

int main(int argc, char **argv)
{
    const std::string loaded = rk_version_string();
    if (argc != 2 || loaded != argv[1]) {
        std::cerr << "library " << loaded << " does not match the package\n";
        return 1;
    }
    std::cout << "ringkernel " << loaded << "\n";
    return 0;
}
