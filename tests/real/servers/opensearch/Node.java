// SPDX-License-Identifier: Apache-2.0
import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One OpenSearch node: FOLDER SETTING=VALUE...  The runner's own main() cannot choose a port above 9299. */
public class Node {
    public static void main(String[] args) throws Exception {
        OpenSearchRunner runner = new OpenSearchRunner();
        runner.onBuild((number, settings) -> {
            for (int i = 1; i < args.length; i++)
                settings.put(args[i].substring(0, args[i].indexOf('=')), args[i].substring(args[i].indexOf('=') + 1));
        });
        runner.build(OpenSearchRunner.newConfigs().basePath(args[0]).clusterName("leat").numOfNode(1).useLogger());
        Thread.currentThread().join();
    }
}
