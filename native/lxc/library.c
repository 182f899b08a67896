#include <lxc/lxccontainer.h>
#include <stdio.h>

#include "verbs.h"

int library(int count, char **names) {
    printf("{\"version\":\"%s\",\"features\":{", lxc_get_version());
    for (int i = 0; i < count; i++)
        printf("%s\"%s\":%s", i ? "," : "", names[i], lxc_has_api_extension(names[i]) ? "true" : "false");
    puts("}}");
    return 0;
}
