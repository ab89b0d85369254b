// SPDX-License-Identifier: Apache-2.0
import java.nio.file.Path;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;

/** One Elasticsearch node without the parts that are not published as jars (security, Elastic's own templates): HOME DATA SETTING=VALUE... */
public class Node {
    public static void main(String[] args) throws Exception {
        Settings.Builder settings = Settings.builder().put("path.home", args[0]).put("path.data", args[1] + "/data").put("path.logs", args[1]);
        for (int i = 2; i < args.length; i++)
            settings.put(args[i].substring(0, args[i].indexOf('=')), args[i].substring(args[i].indexOf('=') + 1));
        LogConfigurator.configureESLogging();
        new org.elasticsearch.node.Node(new Environment(settings.build(), Path.of(args[1]))).start();
        Thread.currentThread().join();
    }
}
