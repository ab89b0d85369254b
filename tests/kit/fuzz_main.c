/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds each file of a corpus folder to a fuzz target, where libFuzzer is not linked. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static int feed(const char *folder, const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return 1;
    (void)fseek(file, 0, SEEK_END);
    long len = ftell(file);
    rewind(file);
    uint8_t *at = malloc((size_t)len ? (size_t)len : 1); /* exactly sized: a read past the end is seen */
    int bad = !at || fread(at, 1, (size_t)len, file) != (size_t)len;
    if (!bad)
        (void)LLVMFuzzerTestOneInput(at, (size_t)len);
    free(at);
    (void)fclose(file);
    return bad;
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (!dir)
        return 2;
    int count = 0, bad = 0;
    for (struct dirent *d; (d = readdir(dir));)
        if (d->d_name[0] != '.')
            bad += feed(argv[1], d->d_name), count++;
    (void)closedir(dir);
    printf("%d inputs\n", count);
    return bad || count == 0;
}
