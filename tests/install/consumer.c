/* A stranger's program: the library that runs is the one that pkg-config described. */
#include <ringkernel/ringkernel.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *loaded = rk_version_string();
    if (argc != 2 || strcmp(loaded, argv[1]) != 0 || strcmp(loaded, RK_VERSION_TEXT) != 0) {
        fprintf(stderr, "library %s, headers %s, package %s\n", loaded, RK_VERSION_TEXT,
                argc == 2 ? argv[1] : "?");
        return 1;
    }
    printf("ringkernel %s\n", loaded);
    return 0;
}
